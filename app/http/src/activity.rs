//! `/api/countries/{id}/activities`.

mod body;
mod params;

use std::sync::Arc;

use bytes::Bytes;
use malecon::domain::{Activity, ActivityKind, ActivityQuery, ActivitySortKey, Paged};
use malecon::{Draft, ServiceError};
use poem::Request;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::country::Tag;
use crate::listing::{Neighbours, page, sort};
use crate::problem::Problem;
use crate::query::Query;
use crate::ready::Ready;
use crate::services::Services;
use body::{ActivityBody, ActivityPage};

pub(crate) use params::LIST;

pub(crate) struct ActivityApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api/countries", tag = "Tag::Countries")]
impl ActivityApi {
    /// List what there is to do in a country
    ///
    /// Its sights in Wikidata, the best known first, and what one does there. Nobody waits for Wikidata:
    /// what is kept is the answer, and `Cache-Status` says how fresh it is. Until a country's activities
    /// were first fetched, which takes a minute or so from when somebody first asks for them, this is a
    /// 503 (`activities_not_ready`) with `Retry-After`.
    #[oai(path = "/:id/activities", method = "get", operation_id = "listActivities")]
    async fn list(
        &self,
        request: &Request,
        /// Alpha-2, alpha-3 or numeric code of ISO 3166-1, in either case.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
    ) -> Result<Ready<ActivityPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let query = query(&params);
        let found = self.0.activities.look(&id.0).await?;
        let path = format!("/api/countries/{}/activities", found.value);
        let key = format!("activities:{path}:{}:{}", found.at.timestamp_micros(), params.normal(None));
        let (activities, country) = (self.0.activities.clone(), found.value.clone());
        let ttl = activities.settings().refresh_after;
        Ready::sourced_openly(request, &self.0.answers, &key, &found, ttl, async move {
            draft(&path, &params, &query, activities.list(&country, &query).await?)
        })
        .await
    }
}

fn query(params: &Query) -> ActivityQuery {
    ActivityQuery {
        kinds: params.members("kind").into_iter().filter_map(ActivityKind::from_name).collect(),
        sort: sort(params, &ActivitySortKey::ALL, ActivitySortKey::name),
        page: page(params),
    }
}

fn draft(
    path: &str,
    params: &Query,
    query: &ActivityQuery,
    found: Paged<Activity>,
) -> Result<Draft, ServiceError> {
    let neighbours = Neighbours::of(path, params, query.page, found.total);
    let rows = found.items.into_iter().map(ActivityBody::from);
    let body = serde_json::to_vec(&ActivityPage::new(found.total, &neighbours, rows));
    let body = body.map_err(|error| ServiceError::Internal(Arc::new(error)))?;
    Ok(Draft { body: Bytes::from(body), note: Bytes::from(neighbours.link) })
}
