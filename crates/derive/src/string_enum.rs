//! `StringEnum` of an enum without fields.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Result};

use crate::attributes::{camel_case, doc};

pub(crate) fn string_enum(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "needs an enum"));
    };
    let (mut variants, mut words) = (Vec::new(), Vec::new());
    for variant in &data.variants {
        if !variant.fields.is_empty() {
            return Err(Error::new_spanned(variant, "must have no fields"));
        }
        variants.push(&variant.ident);
        words.push(camel_case(&variant.ident));
    }
    let Some((last, first)) = words.split_last() else {
        return Err(Error::new_spanned(&input.ident, "needs a variant"));
    };
    let rule = match first {
        [] => format!("must be {last}"),
        first => format!("must be {} or {last}", first.join(", ")),
    };
    let (name, title, description) = (&input.ident, input.ident.to_string(), doc(&input.attrs));
    let count = variants.len();
    Ok(quote! {
        impl #name {
            /// Every variant, in the order of the declaration.
            pub const ALL: [Self; #count] = [#(Self::#variants),*];

            /// The variant as it is written.
            #[must_use]
            pub fn as_str(&self) -> &'static str {
                match self {
                    #(Self::#variants => #words,)*
                }
            }

            /// Parses a variant.
            ///
            /// # Errors
            ///
            /// The rule that other text breaks.
            pub fn parse(text: &str) -> Result<Self, &'static str> {
                match text {
                    #(#words => Ok(Self::#variants),)*
                    _ => Err(#rule),
                }
            }
        }

        ::json::string_type!([] #name);

        impl ::serde::Serialize for #name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(::serde::de::Error::custom)
            }
        }

        impl ::json::schema::Schema for #name {
            fn schema(components: &mut ::json::schema::Components) -> ::json::schema::Json {
                components.string_enum(#title, #description, &[#(#words),*])
            }
        }
    })
}
