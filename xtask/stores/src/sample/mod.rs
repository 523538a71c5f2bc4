//! The sample data, so that there is something to look at. `samples/` has it as
//! the API has it; here it becomes what the stores hold.

// region: mysqldata
pub mod orders;
// endregion
// region: nosqldata
pub mod products;
// endregion
