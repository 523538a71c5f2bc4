//! The parts of a type that the derives read: its fields, doc comments and attributes.

use quote::format_ident;
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit,
    LitStr, Meta, Result, Token, punctuated::Punctuated,
};

/// The named fields of a struct.
pub(crate) fn fields(input: &DeriveInput) -> Result<&Punctuated<Field, Token![,]>> {
    match &input.data {
        Data::Struct(DataStruct {
            fields: Fields::Named(fields),
            ..
        }) => Ok(&fields.named),
        _ => Err(Error::new_spanned(
            &input.ident,
            "needs a struct with named fields",
        )),
    }
}

/// The name of a field.
pub(crate) fn ident(field: &Field) -> Result<&Ident> {
    let ident = field.ident.as_ref();
    ident.ok_or_else(|| Error::new_spanned(field, "needs a named field"))
}

/// The local variable of a field, prefixed so that it shadows no other.
pub(crate) fn local(field: &Field) -> Result<Ident> {
    Ok(format_ident!("field_{}", ident(field)?))
}

/// A field's or variant's name in camelCase.
pub(crate) fn camel_case(ident: &Ident) -> String {
    let ident = ident.to_string();
    let mut name = String::new();
    for (index, word) in ident.trim_start_matches("r#").split('_').enumerate() {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            if index == 0 {
                name.extend(first.to_lowercase());
            } else {
                name.extend(first.to_uppercase());
            }
            name.push_str(letters.as_str());
        }
    }
    name
}

/// The doc comment, its lines joined to paragraphs.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("doc")) {
        if let Meta::NameValue(doc) = &attribute.meta
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) = &doc.value
        {
            let line = line.value();
            match line.trim() {
                "" => text.push_str("\n\n"),
                line if text.is_empty() || text.ends_with('\n') => text.push_str(line),
                line => {
                    text.push(' ');
                    text.push_str(line);
                }
            }
        }
    }
    text.trim().to_owned()
}

/// The strings of `#[json(read_only("a", "b"))]`.
pub(crate) fn read_only(attributes: &[Attribute]) -> Result<Vec<LitStr>> {
    let mut names = Vec::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("json")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("read_only") {
                return Err(meta.error("is not known: expected read_only(\"…\", …)"));
            }
            let content;
            syn::parenthesized!(content in meta.input);
            names.extend(Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?);
            Ok(())
        })?;
    }
    Ok(names)
}

/// The names of a struct's schemas in requests.
#[derive(Default)]
pub(crate) struct SchemaNames {
    /// `#[schema(request = "…")]`
    pub(crate) request: Option<LitStr>,
    /// `#[schema(patch = "…")]`
    pub(crate) patch: Option<LitStr>,
}

/// Reads the attribute `schema` of a struct.
pub(crate) fn schema_names(attributes: &[Attribute]) -> Result<SchemaNames> {
    let mut names = SchemaNames::default();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("schema")) {
        attribute.parse_nested_meta(|meta| {
            let name = if meta.path.is_ident("request") {
                &mut names.request
            } else if meta.path.is_ident("patch") {
                &mut names.patch
            } else {
                return Err(meta.error("is not known: expected request or patch"));
            };
            *name = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(names)
}

/// Whether the attribute `serde` of a field has the word `option`.
pub(crate) fn serde_has(field: &Field, option: &str) -> bool {
    field.attrs.iter().any(|attribute| {
        let mut found = false;
        if attribute.path().is_ident("serde") {
            // Options of other forms are serde's to parse.
            let _ = attribute.parse_nested_meta(|meta| {
                found |= meta.path.is_ident(option);
                if meta.input.peek(Token![=]) {
                    meta.value()?.parse::<Expr>()?;
                }
                Ok(())
            });
        }
        found
    })
}
