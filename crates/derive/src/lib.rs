//! Derives of the traits by which a request part is read, written and described.
//!
//! The traits are those of the crates `json` and `chassis`, which re-export
//! these derives. A member has the name of its field, in camelCase.

mod attributes;
mod object;
mod query;
mod string_enum;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Reads a struct from a JSON object: each field is a member, and a member that
/// is no field is an error.
///
/// `#[json(read_only("id", …))]` names members that only the service sets: a
/// client that sends one gets an error about it.
#[proc_macro_derive(FromJson, attributes(json))]
pub fn derive_from_json(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input as DeriveInput), object::from_json)
}

/// Writes a struct as the JSON object that `FromJson` reads.
#[proc_macro_derive(ToJson)]
pub fn derive_to_json(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input as DeriveInput), object::to_json)
}

/// Describes a struct for the OpenAPI document: doc comments become
/// descriptions.
///
/// A struct that clients send names its schemas:
/// `#[schema(request = "NewOrder", patch = "OrderPatch")]`. Where a struct is
/// only part of responses, its name is the schema's.
#[proc_macro_derive(Schema, attributes(schema, serde))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input as DeriveInput), object::schema)
}

/// Makes an enum without fields a string type: `ALL`, `as_str`, `parse`, and
/// all that a string in JSON, in a query or in a column needs.
#[proc_macro_derive(StringEnum)]
pub fn derive_string_enum(input: TokenStream) -> TokenStream {
    expand(
        &parse_macro_input!(input as DeriveInput),
        string_enum::string_enum,
    )
}

/// Reads a struct from query parameters: each field is the parameter of that name, or
/// a type that reads several.
#[proc_macro_derive(FromQuery)]
pub fn derive_from_query(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input as DeriveInput), query::from_query)
}

fn expand(
    input: &DeriveInput,
    derive: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    derive(input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
