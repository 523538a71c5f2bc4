//! The schemas that are derived for objects.

use json::{
    FieldErrors, FromJson, Int, Value,
    schema::{Components, Direction},
};

/// What a client may leave out, as the reader accepts it.
#[test]
fn optional_field_is_not_required_of_a_request() {
    /// A request that is no response.
    #[derive(FromJson, json::Schema)]
    struct NewParcel {
        /// Its weight in kg.
        weight: Int<1, 30>,
        /// Its width in cm.
        width: Option<Int<1, 200>>,
    }

    let mut errors = FieldErrors::new();
    let body = Value::parse(br#"{"weight":1}"#, &mut errors).unwrap();
    let read = json::read::<NewParcel>(body, &mut errors);
    let NewParcel { weight, width } = read.unwrap();
    assert_eq!((weight.get(), width.is_none()), (1, true));

    let mut components = Components::default();
    components.schema::<NewParcel>(Direction::Request);
    let required = &components.schemas["NewParcel"]["required"];
    assert_eq!(*required, serde_json::json!(["weight"]));
}
