//! `FromQuery` of a struct.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Result};

use crate::attributes::{camel_case, doc, fields, ident, local};

pub(crate) fn from_query(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let (mut idents, mut locals) = (Vec::new(), Vec::new());
    let (mut names, mut types, mut docs) = (Vec::new(), Vec::new(), Vec::new());
    for field in fields(input)? {
        idents.push(ident(field)?);
        locals.push(local(field)?);
        names.push(camel_case(ident(field)?));
        types.push(&field.ty);
        docs.push(doc(&field.attrs));
    }
    Ok(quote! {
        impl ::chassis::http::FromQuery for #name {
            fn from_query(
                query: &mut ::chassis::http::Query,
                errors: &mut ::json::FieldErrors,
            ) -> Option<Self> {
                #(let #locals = <#types as ::chassis::http::FromParameter>::from_parameter(#names, query, errors);)*
                Some(Self { #(#idents: #locals?),* })
            }

            fn describe(operation: &mut ::chassis::http::openapi::Operation) {
                #(<#types as ::chassis::http::FromParameter>::describe(#names, #docs, operation);)*
            }
        }
    })
}
