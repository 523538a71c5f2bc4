//! `FromJson`, `ToJson` and `Schema` of a struct.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Result};

use crate::attributes::{
    camel_case, doc, fields, ident, local, read_only, schema_names, serde_has,
};

pub(crate) fn from_json(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let read_only = read_only(&input.attrs)?;
    let (mut idents, mut locals) = (Vec::new(), Vec::new());
    let (mut members, mut types) = (Vec::new(), Vec::new());
    for field in fields(input)? {
        idents.push(ident(field)?);
        locals.push(local(field)?);
        members.push(camel_case(ident(field)?));
        types.push(&field.ty);
    }
    Ok(quote! {
        impl ::json::FromJson for #name {
            const MEMBERS: &'static [&'static str] = &[#(#members),*];

            fn from_json(
                value: ::json::Value,
                at: &::json::Pointer<'_>,
                errors: &mut ::json::FieldErrors,
            ) -> Option<Self> {
                let mut members = ::json::Members::of(value, at, errors)?;
                #(let #locals = members.take::<#types>(#members, errors);)*
                members.finish(&[#(#read_only),*], errors);
                Some(Self { #(#idents: #locals?),* })
            }

            fn check_patch(
                patch: &::json::Value,
                at: &::json::Pointer<'_>,
                errors: &mut ::json::FieldErrors,
            ) {
                ::json::Members::check_patch(patch, at, Self::MEMBERS, &[#(#read_only),*], errors);
                if let ::json::Value::Object(patch) = patch {
                    #(if let Some(patch) = patch.get(#members) {
                        <#types as ::json::FromJson>::check_patch(patch, &at.member(#members), errors);
                    })*
                }
            }
        }
    })
}

pub(crate) fn to_json(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let (mut idents, mut members) = (Vec::new(), Vec::new());
    for field in fields(input)? {
        idents.push(ident(field)?);
        members.push(camel_case(ident(field)?));
    }
    Ok(quote! {
        impl ::json::ToJson for #name {
            fn to_json(&self) -> Option<::json::Value> {
                let mut object = ::json::Object::new();
                #(if let Some(value) = ::json::ToJson::to_json(&self.#idents) {
                    object.insert(#members, value);
                })*
                Some(::json::Value::Object(object))
            }
        }
    })
}

pub(crate) fn schema(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let description = doc(&input.attrs);
    let names = schema_names(&input.attrs)?;
    let response = name.to_string();
    let request = names
        .request
        .as_ref()
        .map_or_else(|| response.clone(), syn::LitStr::value);
    let patch = names
        .patch
        .as_ref()
        .map_or_else(|| format!("{response}Patch"), syn::LitStr::value);
    let mut members = Vec::new();
    for field in fields(input)? {
        let (member, ty) = (camel_case(ident(field)?), &field.ty);
        let description = doc(&field.attrs);
        if serde_has(field, "skip") {
            continue;
        }
        if serde_has(field, "flatten") {
            members.push(quote!(<#ty as ::json::schema::Schema>::members(object, components);));
            continue;
        }
        // A member that serde may skip is optional in a response; one with a value when
        // absent, in a request.
        let optional = serde_has(field, "skip_serializing_if");
        let required = if names.request.is_some() {
            quote!(<#ty as ::json::FromJson>::absent().is_none())
        } else {
            quote!(!<#ty as ::json::schema::Schema>::NULLABLE)
        };
        members.push(quote! {
            let presence = ::json::schema::Presence { read: #required, written: !#optional };
            object.member::<#ty>(#member, #description, presence, components);
        });
    }
    Ok(quote! {
        impl ::json::schema::Schema for #name {
            fn schema(components: &mut ::json::schema::Components) -> ::json::schema::Json {
                let names = ::json::schema::Names { response: #response, request: #request, patch: #patch };
                components.object::<Self>(names, #description)
            }

            fn members(
                object: &mut ::json::schema::ObjectSchema,
                components: &mut ::json::schema::Components,
            ) {
                #(#members)*
            }
        }
    })
}
