//! `/v3.1`: the contract of restcountries v3.1, from our own store.

mod body;
mod params;

use std::sync::Arc;

use bytes::Bytes;
use malecon::ServiceError;
use malecon::domain::{CountryField, FieldSet, Lookup};
use poem::Request;
use poem::http::StatusCode;
use poem_openapi::param::Path;
use poem_openapi::{OpenApi, Tags};

use crate::country::version_key;
use crate::problem::Problem;
use crate::query::Query;
use crate::ready::{Frame, Ready};
use crate::services::Services;
use body::{Shape, V31Countries, V31OneOrMany};

pub(crate) use body::SCHEMA;
pub(crate) use params::{ALPHA, FIELDS, INDEPENDENT, NAME};

#[derive(Tags)]
enum Tag {
    /// What restcountries.com answered under `/v3.1` until June 2026.
    #[oai(rename = "restcountries v3.1")]
    V31,
}

pub(crate) struct V31Api(pub Arc<Services>);

#[OpenApi(prefix_path = "/v3.1", tag = "Tag::V31")]
impl V31Api {
    /// All countries
    ///
    /// With all members, or with those of `fields`.
    #[oai(path = "/all", method = "get", operation_id = "v31All")]
    async fn all(&self, request: &Request) -> Result<Ready<V31Countries>, Problem> {
        self.by(request, "all", Lookup::All).await
    }

    /// Countries by name
    ///
    /// Part of the common name, the official name or another spelling; with `fullText=true` the
    /// whole common or official name.
    #[oai(path = "/name/:name", method = "get", operation_id = "v31Name")]
    async fn name(
        &self,
        request: &Request,
        /// The name, or a part of it.
        name: Path<String>,
    ) -> Result<Ready<V31Countries>, Problem> {
        let params = Query::read_leniently(request, NAME)?;
        let lookup = if params.text("fullText").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            Lookup::FullName(name.0)
        } else {
            Lookup::Name(name.0)
        };
        self.answer(request, &params, "name", lookup, Shape::List).await
    }

    /// Countries by a list of codes
    #[oai(path = "/alpha", method = "get", operation_id = "v31Alphas")]
    async fn alphas(&self, request: &Request) -> Result<Ready<V31Countries>, Problem> {
        let params = Query::read_leniently(request, ALPHA)?;
        let codes: Vec<String> = params.members("codes").into_iter().map(str::to_owned).collect();
        if codes.is_empty() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", "codes are needed"));
        }
        self.answer(request, &params, "alphas", Lookup::Alpha(codes), Shape::List).await
    }

    /// A country by its code
    ///
    /// A list of one; with `fields` the country itself.
    #[oai(path = "/alpha/:code", method = "get", operation_id = "v31Alpha")]
    async fn alpha(
        &self,
        request: &Request,
        /// Alpha-2, alpha-3, numeric or Olympic code, in either case.
        #[oai(validator(min_length = 2, max_length = 3))]
        code: Path<String>,
    ) -> Result<Ready<V31OneOrMany>, Problem> {
        let params = Query::read_leniently(request, FIELDS)?;
        if !(2..=3).contains(&code.0.chars().count()) {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_parameter",
                "a code has 2 or 3 letters",
            ));
        }
        let shape = if params.members("fields").is_empty() { Shape::List } else { Shape::One };
        self.answer(request, &params, "alpha", Lookup::Alpha(vec![code.0]), shape).await
    }

    /// Countries by currency
    #[oai(path = "/currency/:currency", method = "get", operation_id = "v31Currency")]
    async fn currency(
        &self,
        request: &Request,
        /// The currency's code, or a part of its name.
        currency: Path<String>,
    ) -> Result<Ready<V31Countries>, Problem> {
        self.by(request, "currency", Lookup::Currency(currency.0)).await
    }

    /// Countries by language
    #[oai(path = "/lang/:language", method = "get", operation_id = "v31Language")]
    async fn language(
        &self,
        request: &Request,
        /// The language's code or name.
        language: Path<String>,
    ) -> Result<Ready<V31Countries>, Problem> {
        self.by(request, "lang", Lookup::Language(language.0)).await
    }

    /// Countries by capital
    #[oai(path = "/capital/:capital", method = "get", operation_id = "v31Capital")]
    async fn capital(
        &self,
        request: &Request,
        /// A part of the capital's name; accents count for nothing.
        capital: Path<String>,
    ) -> Result<Ready<V31Countries>, Problem> {
        self.by(request, "capital", Lookup::Capital(capital.0)).await
    }

    /// Countries by region
    #[oai(path = "/region/:region", method = "get", operation_id = "v31Region")]
    async fn region(
        &self,
        request: &Request,
        /// A part of the region's name, or the whole name of a subregion.
        region: Path<String>,
    ) -> Result<Ready<V31Countries>, Problem> {
        self.by(request, "region", Lookup::Region(region.0)).await
    }

    /// Countries by subregion
    #[oai(path = "/subregion/:subregion", method = "get", operation_id = "v31Subregion")]
    async fn subregion(
        &self,
        request: &Request,
        /// A part of the subregion's name.
        subregion: Path<String>,
    ) -> Result<Ready<V31Countries>, Problem> {
        self.by(request, "subregion", Lookup::Subregion(subregion.0)).await
    }

    /// Countries by translated name
    #[oai(path = "/translation/:translation", method = "get", operation_id = "v31Translation")]
    async fn translation(
        &self,
        request: &Request,
        /// A part of the name in any other language.
        translation: Path<String>,
    ) -> Result<Ready<V31Countries>, Problem> {
        self.by(request, "translation", Lookup::Translation(translation.0)).await
    }

    /// Countries by what their inhabitants are called
    #[oai(path = "/demonym/:demonym", method = "get", operation_id = "v31Demonym")]
    async fn demonym(
        &self,
        request: &Request,
        /// A part of the feminine or masculine form, in English or French.
        demonym: Path<String>,
    ) -> Result<Ready<V31Countries>, Problem> {
        self.by(request, "demonym", Lookup::Demonym(demonym.0)).await
    }

    /// Sovereign countries, or the others
    #[oai(path = "/independent", method = "get", operation_id = "v31Independent")]
    async fn independent(&self, request: &Request) -> Result<Ready<V31Countries>, Problem> {
        let params = Query::read_leniently(request, INDEPENDENT)?;
        let lookup =
            Lookup::Independent(params.text("status").is_none_or(|text| text.eq_ignore_ascii_case("true")));
        self.answer(request, &params, "independent", lookup, Shape::List).await
    }
}

impl V31Api {
    async fn by(
        &self,
        request: &Request,
        route: &str,
        lookup: Lookup,
    ) -> Result<Ready<V31Countries>, Problem> {
        let params = Query::read_leniently(request, FIELDS)?;
        self.answer(request, &params, route, lookup, Shape::List).await
    }

    async fn answer<T>(
        &self,
        request: &Request,
        params: &Query,
        route: &str,
        lookup: Lookup,
        shape: Shape,
    ) -> Result<Ready<T>, Problem> {
        let held = self.0.countries.held().await?;
        let names = params.members("fields");
        let known = || names.iter().filter_map(|name| CountryField::from_name(name)).collect();
        let fields: Option<FieldSet> = (!names.is_empty()).then(known);
        let key = format!("{}:v31:{route}:{lookup:?}:{fields:?}", version_key(held.version));
        Ready::public(
            request,
            &self.0.local,
            (held.version, &key),
            Frame::json(held.version.since),
            async move {
                let found = held.lookup(&lookup);
                if found.is_empty() {
                    return Err(ServiceError::NotFound);
                }
                let bytes = body::to_json(&found, fields, shape)
                    .map_err(|error| ServiceError::Internal(Arc::new(error)))?;
                Ok(Bytes::from(bytes).into())
            },
        )
        .await
    }
}
