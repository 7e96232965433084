//! The fast lane: answers under the request line that they were the answer to, so that the same
//! question is answered without routing it again. Who asks for those that want a token is looked at
//! each time.

use std::sync::Arc;

use malecon::CountryService;
use malecon::domain::{DataVersion, Instant};
use moka::sync::Cache;
use poem::http::uri::PathAndQuery;
use poem::http::{Method, Uri};
use poem::{Request, Response};

use crate::ready::{Kept, Public, accepts_gzip};
use crate::wall::Routes;

/// Bytes of request lines and bodies at most. Bodies are shared with the cache of answers, so most
/// of them cost nothing here.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// What the lane keeps, and what an answer says of itself on the way out.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub public: Public,
    /// The version of the countries that it was made of.
    pub version: DataVersion,
    /// The path as the document writes it.
    route: Arc<str>,
}

/// The path of an answer as the document writes it, for the meters.
#[derive(Clone)]
pub(crate) struct Route(pub Arc<str>);

impl Ticket {
    pub fn new(public: Public, version: DataVersion) -> Self {
        Self { public, version, route: Arc::from("") }
    }
}

/// Answers by path and query.
pub(crate) struct Lane {
    plain: Cache<String, Ticket>,
    gzip: Cache<String, Ticket>,
    /// For all who have a token, and the path as the document writes it.
    kept: Cache<String, (Kept, Arc<str>)>,
    countries: CountryService,
}

impl Lane {
    pub fn new(countries: CountryService) -> Self {
        let tickets = || {
            let weigh = |line: &String, ticket: &Ticket| {
                u32::try_from(line.len() + ticket.public.size()).unwrap_or(u32::MAX)
            };
            Cache::builder().max_capacity(MOST_BYTES / 2).weigher(weigh).build()
        };
        let weigh = |line: &String, (kept, _): &(Kept, Arc<str>)| {
            u32::try_from(line.len() + kept.size()).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder().max_capacity(MOST_BYTES / 2).weigher(weigh).build();
        Self { plain: tickets(), gzip: tickets(), kept, countries }
    }

    fn tickets(&self, gzip: bool) -> &Cache<String, Ticket> {
        if gzip { &self.gzip } else { &self.plain }
    }

    /// The answer to a request that was answered before, if it would be the same now.
    pub fn answer(&self, request: &Request, now: Instant) -> Option<Response> {
        if *request.method() != Method::GET {
            return None;
        }
        let tickets = self.tickets(accepts_gzip(request.headers()));
        let line = line(request.uri());
        let ticket = tickets.get(line)?;
        if self.countries.version().is_none_or(|version| !version.same_data(ticket.version)) {
            tickets.invalidate(line);
            return None;
        }
        let mut response = ticket.public.hit(request, now)?;
        response.set_data(Route(ticket.route));
        Some(response)
    }

    /// The answer to a request of somebody with a token that was answered before, if it would be the
    /// same now.
    pub fn answer_known(&self, request: &Request, now: Instant) -> Option<Response> {
        if *request.method() != Method::GET {
            return None;
        }
        let line = line(request.uri());
        let (kept, route) = self.kept.get(line)?;
        let Some(mut response) = kept.hit(request, now) else {
            self.kept.invalidate(line);
            return None;
        };
        response.set_data(Route(route));
        Some(response)
    }

    /// Keeps an answer that may be given again.
    pub fn keep(&self, method: &Method, uri: &Uri, gzip: bool, routes: &Routes, response: &Response) {
        if *method != Method::GET {
            return;
        }
        let (line, route) = (|| line(uri).to_owned(), || Arc::from(routes.name(uri.path())));
        if let Some(ticket) = response.data::<Ticket>() {
            self.tickets(gzip).insert(line(), Ticket { route: route(), ..ticket.clone() });
        }
        if let Some(kept) = response.data::<Kept>() {
            self.kept.insert(line(), (kept.clone(), route()));
        }
    }
}

fn line(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", PathAndQuery::as_str)
}
