//! The handlers. A handler's signature is its contract and its documentation: the
//! OpenAPI document is derived from it.

use axum::extract::State;
use chassis::{
    Problem, RequestContext,
    http::{
        Created, Fetched, Id, Idempotent, Page, Paged, Preconditions, Replayable, Representation,
        Request, Resource,
    },
};

use crate::{
    @Type@Store,
    @type@::{@Type@, @Type@Id, New@Type@},
};

/// The documentation of [`list`].
pub(crate) const LIST: &str = "\
Page by page: pass `nextCursor` as `cursor` until it is `null`. A page may be shorter than its \
`limit` before that.";

/// The documentation of [`create`].
pub(crate) const CREATE: &str = "\
With an `Idempotency-Key`, a request that is repeated creates nothing and gets the same response.";

/// The documentation of [`fetch`].
pub(crate) const FETCH: &str =
    "With `If-None-Match`, a client that has the state already gets 304.";

/// The path and the entity tag of @a@ @type@, for `Location` and `ETag`.
impl Resource for @Type@ {
    fn path(&self) -> String {
        format!("/@name@/{}", self.id)
    }

    /// @A@ @type@ never changes.
    fn etag(&self) -> String {
        "1".to_owned()
    }
}

/// `GET /@name@`: a page of @name@.
pub(crate) async fn list(
    State(store): State<@Type@Store>,
    ctx: RequestContext,
    // Without a filter. The cursor is the id of the last item of a page.
    Request(paged): Request<Paged<(), @Type@Id>>,
) -> Result<Representation<Page<@Type@>>, Problem> {
    let found = store.page(&ctx, paged.limit, paged.after.as_ref()).await?;
    let page = paged.page_of("@Name@", found, |@type@| @type@.id.clone())?;
    Ok(Representation(page))
}

/// `POST /@name@`: creates @a@ @type@.
pub(crate) async fn create(
    State(store): State<@Type@Store>,
    ctx: RequestContext,
    Request(Idempotent { body, key }): Request<Idempotent<New@Type@>>,
) -> Result<Replayable<Created<@Type@>>, Problem> {
    let created = Created(@Type@::create(body).map_err(Problem::internal)?);
    // Stored with the @type@ in one transaction, and returned unchanged if the
    // request is repeated.
    let response = created.to_stored().map_err(Problem::internal)?;
    let outcome = store
        .create(&ctx, &created.0, key.as_ref(), &response)
        .await?;
    Ok(Replayable::new(response, outcome))
}

/// `GET /@name@/{id}`: one @type@.
pub(crate) async fn fetch(
    State(store): State<@Type@Store>,
    ctx: RequestContext,
    Request((Id(id), preconditions)): Request<(Id<@Type@Id>, Preconditions)>,
) -> Result<Fetched<@Type@>, Problem> {
    let @type@ = store.get(&ctx, &id).await?;
    preconditions.fetch(@type@)
}
