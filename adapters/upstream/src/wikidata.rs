//! Wikidata's query service: the sights of a country.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{ActivityBatch, ActivityKind, ActivityRecord, LatLng, Rejection};
use malecon_ports::{ActivityGateway, GatewayError};
use serde_json::Value;
use url::Url;

use crate::json::{Wrong, kind, label, parse};
use crate::{ClientOptions, UpstreamClient};

/// Sights and their classes that are looked at: the best known ones.
const MOST_SIGHTS: usize = 300;
/// Rows at most. A sight with two pictures has two.
const MOST_ROWS: usize = 1_000;
/// Wikis at least that have a page about a sight.
const LEAST_WIKIS: u32 = 3;
/// What the names of entities begin with.
const ENTITY: &str = "http://www.wikidata.org/entity/";
const NO_ENTITY: &str = "item is not an entity of Wikidata";

/// Activities out of Wikidata, which is CC0.
#[derive(Clone, Debug)]
pub struct Wikidata {
    client: UpstreamClient,
    url: Url,
}

impl Wikidata {
    /// How long an answer may take. Wikidata works on a query for 60 s at most; who hangs up earlier
    /// leaves it at work, and asks again beside it.
    pub const PATIENCE: Duration = Duration::from_secs(65);

    /// The service at this URL, e.g. `https://query.wikidata.org/sparql`, by a client of
    /// [`Wikidata::options`].
    pub fn new(client: UpstreamClient, url: Url) -> Self {
        Self { client, url }
    }

    /// How Wikidata wants to be called: by a client that names itself and whom to turn to, with patience,
    /// once at a time. Whoever runs this tries again.
    pub fn options(options: ClientOptions, contact: Option<&str>) -> ClientOptions {
        let contact = contact.map(|contact| format!(" ({contact})")).unwrap_or_default();
        ClientOptions {
            timeout: options.timeout.max(Self::PATIENCE),
            retries: 0,
            body_limit: 4 * 1024 * 1024,
            user_agent: options.user_agent + &contact,
            accept: "application/sparql-results+json",
            ..options
        }
    }
}

#[async_trait]
impl ActivityGateway for Wikidata {
    async fn fetch(&self, cca2: &str) -> Result<ActivityBatch, GatewayError> {
        if cca2.len() != 2 || !cca2.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(GatewayError::Refused(format!("{cca2:?} is not two capital letters").into()));
        }
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("query", &query(cca2));
        self.client.get(url, None, |body| batch(&parse(body)?)).await
    }
}

/// The question. What is best known is chosen first, so that all else is looked up for few; classes of
/// classes (`P279*`) are not walked, which takes longer than Wikidata allows.
fn query(cca2: &str) -> String {
    let classes: Vec<String> = ActivityKind::classes().map(|class| format!("wd:Q{class}")).collect();
    let classes = classes.join(" ");
    format!(
        r#"SELECT ?item ?itemLabel ?itemDescription ?class ?coord ?image ?sitelinks ?unesco WHERE {{
  {{
    SELECT ?item ?class ?sitelinks WHERE {{
      ?country wdt:P297 "{cca2}" .
      VALUES ?class {{ {classes} }}
      ?item wdt:P17 ?country ; wdt:P31 ?class ; wikibase:sitelinks ?sitelinks .
      FILTER(?sitelinks >= {LEAST_WIKIS})
    }}
    ORDER BY DESC(?sitelinks) ?item
    LIMIT {MOST_SIGHTS}
  }}
  BIND(EXISTS {{ ?item wdt:P1435 wd:Q9259 }} AS ?unesco)
  OPTIONAL {{ ?item wdt:P625 ?coord . }}
  OPTIONAL {{ ?item wdt:P18 ?image . }}
  SERVICE wikibase:label {{ bd:serviceParam wikibase:language "en,mul,es,fr,pt,de" . }}
}}
ORDER BY DESC(?sitelinks) ?item
LIMIT {MOST_ROWS}"#
    )
}

/// The sights of an answer; at least one has a name in Wikidata, if it has any.
fn batch(answer: &Value) -> Result<ActivityBatch, GatewayError> {
    let malformed = |wrong: Wrong| GatewayError::Malformed(wrong.into());
    let Value::Array(rows) = &answer["results"]["bindings"] else {
        return Err(malformed(format!("expected a list of bindings, found {}", kind(answer))));
    };
    if rows.len() > MOST_ROWS {
        return Err(malformed(format!("{} rows are too many", rows.len())));
    }
    let sights = sights(rows);
    if !sights.is_empty() && sights.iter().all(|sight| sight.id.is_none()) {
        return Err(malformed(format!("no row is a sight: {NO_ENTITY}")));
    }
    let mut batch = ActivityBatch::default();
    for sight in sights {
        match sight.record() {
            Ok(record) => batch.records.push(record),
            Err(reason) => batch.rejected.push(Rejection { record: sight.label, reason }),
        }
    }
    Ok(batch)
}

/// A sight and its rows: one for each class, and for each of its pictures and places.
struct Sight<'a> {
    label: String,
    id: Option<&'a str>,
    rows: Vec<&'a Value>,
}

/// The sights of all rows, the best known first.
fn sights(rows: &[Value]) -> Vec<Sight<'_>> {
    let mut sights: Vec<Sight<'_>> = vec![];
    let mut places = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let id = value(row, "item").and_then(entity);
        let place = *places.entry(id.ok_or(index)).or_insert(sights.len());
        match sights.get_mut(place) {
            Some(sight) => sight.rows.push(row),
            None => sights.push(Sight { label: label(id, index), id, rows: vec![row] }),
        }
    }
    sights.sort_by_key(|sight| Reverse(sight.values("sitelinks").find_map(|n| n.parse::<u64>().ok())));
    sights
}

impl<'a> Sight<'a> {
    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.rows.iter().filter_map(move |row| value(row, name))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.values(name).next().map(str::to_owned)
    }

    fn record(&self) -> Result<ActivityRecord, Wrong> {
        let id = self.id.ok_or(NO_ENTITY)?;
        // What has no label is called by its number.
        let name = self.text("itemLabel").filter(|name| name != id).ok_or("it has no label")?;
        let number = |class: &str| entity(class)?.get(1..)?.parse().ok();
        let classes: Vec<u32> = self.values("class").filter_map(number).collect();
        let picture = self.text("image").map(|url| match url.strip_prefix("http://") {
            Some(rest) => format!("https://{rest}"),
            None => url,
        });
        Ok(ActivityRecord {
            id: id.to_owned(),
            name,
            kind: ActivityKind::of(&classes),
            description: self.text("itemDescription"),
            latlng: self.values("coord").next().map(point).transpose()?,
            picture,
            source: format!("https://www.wikidata.org/wiki/{id}"),
            world_heritage: self.values("unesco").any(|flag| flag == "true" || flag == "1"),
        })
    }
}

/// What a row says under this name. What Wikidata knows to exist, but not what it is, is a blank node:
/// as good as nothing.
fn value<'a>(row: &'a Value, name: &str) -> Option<&'a str> {
    let cell = &row[name];
    let text = cell["value"].as_str()?.trim();
    let is_blank = cell["type"] == "bnode" || text.contains("/.well-known/genid/");
    (!text.is_empty() && !is_blank).then_some(text)
}

/// The name of an entity, a `Q` and a number.
fn entity(url: &str) -> Option<&str> {
    let name = url.strip_prefix(ENTITY)?;
    let digits = name.strip_prefix('Q')?;
    (!digits.is_empty() && digits.len() < 19 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

/// `Point(longitude latitude)`; with another globe than ours in front it is none.
fn point(text: &str) -> Result<LatLng, Wrong> {
    let inside = text.strip_prefix("Point(").and_then(|rest| rest.strip_suffix(')'));
    let mut parts = inside.unwrap_or_default().split_whitespace().map(str::parse);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(lng)), Some(Ok(lat)), None) => Ok(LatLng { lat, lng }),
        _ => Err("coord is not Point(longitude latitude)".to_owned()),
    }
}
