//! `/api/countries`.

mod body;
mod params;

use std::sync::Arc;

use bytes::Bytes;
use malecon::domain::{
    CountryFilter, CountryQuery, CountrySortKey, DataVersion, Page, Paged, Sort, StoredCountry,
};
use malecon::ports::SheetFormat;
use malecon::{Draft, ServiceError};
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{OpenApi, Tags};

use crate::auth::Caller;
use crate::job::{JobTicket, ticket};
use crate::listing::{Neighbours, keep, page, sort};
use crate::problem::Problem;
use crate::query::Query;
use crate::ready::{File, Frame, Ready};
use crate::services::Services;
use crate::written::{Accepted, Written};
use body::{CountryBody, CountryPage, ReportBody};

pub(crate) use params::{EXPORT, LIST, ONE};

#[derive(Tags)]
pub(crate) enum Tag {
    /// Countries, mirrored from a source and kept; and what there is to do there.
    Countries,
}

pub(crate) struct CountryApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api/countries", tag = "Tag::Countries")]
impl CountryApi {
    /// List countries
    ///
    /// A page of the countries that match every filter. Texts match substrings without regard to
    /// case and accents.
    #[oai(path = "/", method = "get", operation_id = "listCountries")]
    async fn list(&self, request: &Request) -> Result<Ready<CountryPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let query = country_query(&params);
        let held = self.0.countries.held().await?;
        let version = held.version;
        let normal = params.normal(None);
        let key = format!("{}:list:{normal}", version_key(version));
        let countries = self.0.countries.clone();
        Ready::public(request, &self.0.answers, (version, &key), Frame::json(version.since), async move {
            let page = countries.list_of(&held, &query).await?;
            let fields = params.members("fields");
            draft_of_page(&params, query.page, &page, &fields)
        })
        .await
    }

    /// Export countries
    ///
    /// All countries that match, as an Excel workbook or as comma-separated values.
    #[oai(path = "/export", method = "get", operation_id = "exportCountries")]
    async fn export(&self, request: &Request) -> Result<File, Problem> {
        let params = Query::read(request, EXPORT)?;
        let query = country_query(&params);
        let held = self.0.countries.held().await?;
        let version = held.version;
        let key = format!("{}:export:{}", version_key(version), params.normal(None));
        let (format, content_type, file) = match params.text("format") {
            Some("csv") => (SheetFormat::Csv, "text/csv; charset=utf-8", "countries.csv"),
            _ => (SheetFormat::Xlsx, File::XLSX, "countries.xlsx"),
        };
        let frame = Frame { modified: Some(version.since), file: Some(file), ..Frame::plain(content_type) };
        let countries = self.0.countries.clone();
        Ready::public(request, &self.0.answers, (version, &key), frame, async move {
            let bytes = countries.export_of(&held, &query.filter, &query.sort, format)?;
            Ok(Bytes::from(bytes).into())
        })
        .await
        .map(File)
    }

    /// Sync countries now
    ///
    /// Mirrors the configured source and tells what it did. A source that fails or is not believed
    /// changes nothing; the report's `outcome` says so.
    #[oai(path = "/sync", method = "post", operation_id = "syncCountries")]
    async fn sync(&self, caller: Caller) -> Result<Json<ReportBody>, Problem> {
        let countries = self.0.countries.clone();
        // A sync that has begun goes on when its caller hangs up.
        let sync = tokio::spawn(async move { countries.sync(&caller.0).await });
        let report = sync.await.map_err(|_| Problem::internal())??;
        Ok(Json(ReportBody::from(report)))
    }

    /// Show the last sync
    #[oai(path = "/sync", method = "get", operation_id = "showCountrySync")]
    async fn report(&self, request: &Request, caller: Caller) -> Result<Ready<ReportBody>, Problem> {
        Query::read(request, &[])?;
        let report = self.0.countries.last_report(&caller.0).await?.ok_or(ServiceError::NotFound)?;
        let body = serde_json::to_vec(&ReportBody::from(report)).map_err(|_| Problem::internal())?;
        Ok(Ready::private(request, body, "application/json", self.0.answers.now()))
    }

    /// Mail the report now
    ///
    /// The workbook of the countries that the operator has chosen goes to those whom the operator has named,
    /// as it does once a day. The job tells what became of it.
    #[oai(path = "/report", method = "post", operation_id = "mailCountryReport")]
    async fn mail_report(&self, caller: Caller) -> Result<Written<JobTicket, Accepted>, Problem> {
        ticket(&self.0.reports.send_now(&caller.0).await?)
    }

    /// Show a country
    #[oai(path = "/:id", method = "get", operation_id = "showCountry")]
    async fn show(
        &self,
        request: &Request,
        /// Alpha-2, alpha-3 or numeric code of ISO 3166-1, in either case.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
    ) -> Result<Ready<CountryBody>, Problem> {
        let params = Query::read(request, ONE)?;
        let held = self.0.countries.held().await?;
        let version = held.version;
        let key =
            format!("{}:one:{}:{}", version_key(version), id.0.to_ascii_uppercase(), params.normal(None));
        let countries = self.0.countries.clone();
        Ready::public(request, &self.0.answers, (version, &key), Frame::json(version.since), async move {
            let stored = countries.get_of(&held, &id.0).await?;
            json(&CountryBody::from(stored), &params.members("fields"))
        })
        .await
    }
}

/// Names a version of the data among all stores that may share a cache. An older backup that is brought
/// back counts on from an older number: then it is when each version began that tells two apart.
pub(crate) fn version_key(version: DataVersion) -> String {
    format!("c{}.{}", version.number, version.since.timestamp_micros())
}

fn country_query(params: &Query) -> CountryQuery {
    let text = |name| params.text(name).map(str::to_owned);
    let filter = CountryFilter {
        name: text("name"),
        capital: text("capital"),
        continent: text("continent"),
        currency: text("currency"),
        language: text("language"),
        region: text("region"),
        q: text("q"),
        population_gte: params.parsed("population__gte"),
        population_lte: params.parsed("population__lte"),
        area_gte: params.parsed("area__gte"),
        area_lte: params.parsed("area__lte"),
    };
    let sort = sort(params, &CountrySortKey::ALL, CountrySortKey::name);
    CountryQuery { filter, sort, page: page(params) }
}

fn draft_of_page(
    params: &Query,
    page: Page,
    found: &Paged<StoredCountry>,
    fields: &[&str],
) -> Result<Draft, ServiceError> {
    let neighbours = Neighbours::of("/api/countries", params, page, found.total);
    let results = found.items.iter().cloned().map(CountryBody::from).collect();
    let body =
        CountryPage { count: found.total, next: neighbours.next, previous: neighbours.previous, results };
    let draft = if fields.is_empty() { json(&body, &[])? } else { body.sparse(fields)? };
    Ok(Draft { note: Bytes::from(neighbours.link), ..draft })
}

/// The value in JSON, with these members only, or with all for none.
fn json(value: &impl serde::Serialize, members: &[&str]) -> Result<Draft, ServiceError> {
    let bytes = if members.is_empty() {
        serde_json::to_vec(value)
    } else {
        serde_json::to_value(value).and_then(|mut value| {
            keep(&mut value, members);
            serde_json::to_vec(&value)
        })
    };
    bytes.map(|bytes| Bytes::from(bytes).into()).map_err(|error| ServiceError::Internal(Arc::new(error)))
}

/// Reads filters and order from a query string, as `GET /api/countries/export` does.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_filter(query: &str) -> Result<(CountryFilter, Vec<Sort<CountrySortKey>>), String> {
    let query = Query::parse(query, params::FILTERED, false)
        .map(|params| country_query(&params))
        .map_err(|problem| problem.detail)?;
    Ok((query.filter, query.sort))
}
