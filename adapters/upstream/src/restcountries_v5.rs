//! restcountries v5: pages of 100, with a key.

use std::collections::BTreeMap;

use async_trait::async_trait;
use malecon_domain::{
    Batch, Car, CountryField, CountryName, CountryRecord, Currency, Demonym, FieldSet, Flags, Idd, Language,
    LatLng, LocalName,
};
use malecon_ports::{CountryGateway, GatewayError};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::UpstreamClient;
use crate::json::{MOST_ROWS, Object, Wrong, kind, label, parse, sort_out};

/// Rows of a page: the most that the free plan gives.
const PAGE: usize = 100;

/// What v5 says nothing of, or not in a form that is ours.
const ABSENT: [CountryField; 6] = [
    CountryField::CoatOfArms,
    CountryField::CapitalInfo,
    CountryField::Gini,
    CountryField::Maps,
    CountryField::PostalCode,
    CountryField::Status,
];

/// Countries of restcountries v5.
#[derive(Clone, Debug)]
pub struct RestCountriesV5 {
    client: UpstreamClient,
    url: Url,
    key: SecretString,
}

impl RestCountriesV5 {
    /// The API at this URL, e.g. `https://api.restcountries.com/countries/v5`, with this key.
    pub fn new(client: UpstreamClient, url: Url, key: impl Into<SecretString>) -> Self {
        Self { client, url, key: key.into() }
    }
}

#[async_trait]
impl CountryGateway for RestCountriesV5 {
    fn source(&self) -> String {
        "restcountries-v5".to_owned()
    }

    async fn fetch(&self) -> Result<Batch, GatewayError> {
        let mut rows: Vec<Value> = vec![];
        loop {
            let mut url = self.url.clone();
            url.query_pairs_mut()
                .append_pair("limit", &PAGE.to_string())
                .append_pair("offset", &rows.len().to_string());
            let read = |body: &[u8]| page(parse(body)?, &rows);
            let (page, more) = self.client.get(url, Some(&self.key), read).await?;
            rows.extend(page);
            if !more {
                return Ok(batch(&rows));
            }
        }
    }
}

/// The rows of a page that follow these, and whether more follow.
fn page(mut answer: Value, rows: &[Value]) -> Result<(Vec<Value>, bool), GatewayError> {
    let page = answer.pointer_mut("/data/objects").map(Value::take);
    let (Some(Value::Array(page)), Some(more)) = (page, answer["data"]["meta"]["more"].as_bool()) else {
        return Err(GatewayError::Malformed(
            format!("expected data.objects and data.meta.more, found {}", kind(&answer)).into(),
        ));
    };
    if page.first().is_some_and(|row| rows.contains(row)) || (more && page.is_empty()) {
        return Err(GatewayError::Malformed(
            format!("the page from {} on comes twice or is empty", rows.len()).into(),
        ));
    }
    if rows.len() + page.len() > MOST_ROWS {
        return Err(GatewayError::Malformed(format!("more than {MOST_ROWS} rows").into()));
    }
    Ok((page, more))
}

fn batch(rows: &[Value]) -> Batch {
    let read = rows.iter().enumerate().map(|(index, row)| {
        let code = row["codes"]["alpha_3"].as_str();
        (label(code, index), Object::of(row, "").and_then(record))
    });
    let (records, rejected) = sort_out(read);
    let covered: FieldSet = CountryField::ALL.into_iter().filter(|field| !ABSENT.contains(field)).collect();
    Batch { covered, records, rejected }
}

fn record(country: Object<'_>) -> Result<CountryRecord, Wrong> {
    let codes = country.object("codes")?.ok_or("codes are missing")?;
    let names = country.object("names")?.ok_or("names are missing")?;
    let text = |object: Option<Object<'_>>, name: &str| object.map_or(Ok(None), |object| object.text(name));
    let flag = country.object("flag")?;
    let classification = country.object("classification")?;
    let known = |name: &str| classification.map_or(Ok(None), |object| object.flag(name));
    let cars = country.object("cars")?;
    Ok(CountryRecord {
        cca2: codes.text_or_blank("alpha_2")?,
        cca3: codes.text_or_blank("alpha_3")?,
        ccn3: codes.text("ccn3")?,
        cioc: codes.text("cioc")?,
        fifa: codes.text("fifa")?,
        name: CountryName {
            common: names.text_or_blank("common")?,
            official: names.text_or_blank("official")?,
            native: local_names(names, "native")?,
        },
        tld: country.texts("tlds")?,
        independent: known("sovereign")?,
        un_member: known("un_member")?.unwrap_or_default(),
        currencies: each(country, "currencies", |c| {
            Ok(Currency {
                code: c.text_or_blank("code")?,
                name: c.text_or_blank("name")?,
                symbol: c.text("symbol")?,
            })
        })?,
        idd: dialling(&country.texts("calling_codes")?),
        capital: each(country, "capitals", |capital| capital.text_or_blank("name"))?,
        alt_spellings: names.texts("alternates")?,
        region: country.text_or_blank("region")?,
        subregion: country.text("subregion")?,
        continents: country.texts("continents")?,
        languages: each(country, "languages", |l| {
            Ok(Language { code: l.text_or_blank("iso639_3")?, name: l.text_or_blank("name")? })
        })?,
        translations: local_names(names, "translations")?,
        latlng: point(country.object("coordinates")?)?,
        landlocked: country.flag("landlocked")?.unwrap_or_default(),
        borders: country.texts("borders")?,
        area: country.object("area")?.map_or(Ok(None), |area| area.area("kilometers"))?,
        demonyms: demonyms(country)?,
        flag: text(flag, "emoji")?,
        flags: Flags { png: text(flag, "url_png")?, svg: text(flag, "url_svg")? },
        population: country.count("population")?,
        car: Car {
            signs: cars.map_or(Ok(vec![]), |cars| cars.texts("signs"))?,
            side: text(cars, "driving_side")?,
        },
        start_of_week: text(country.object("date")?, "start_of_week")?,
        timezones: country.texts("timezones")?,
        ..CountryRecord::default()
    })
}

fn each<T>(
    country: Object<'_>,
    name: &str,
    read: impl Fn(Object<'_>) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    country.list(name)?.iter().map(|value| Object::of(value, name).and_then(&read)).collect()
}

fn local_names(names: Object<'_>, name: &str) -> Result<BTreeMap<String, LocalName>, Wrong> {
    let Some(locals) = names.object(name)? else { return Ok(BTreeMap::new()) };
    locals
        .members()
        .map(|(code, value)| {
            let value = Object::of(value, name)?;
            let local = LocalName {
                official: value.text_or_blank("official")?,
                common: value.text_or_blank("common")?,
            };
            Ok((code.clone(), local))
        })
        .collect()
}

fn demonyms(country: Object<'_>) -> Result<BTreeMap<String, Demonym>, Wrong> {
    let Some(demonyms) = country.object("demonyms")? else { return Ok(BTreeMap::new()) };
    demonyms
        .members()
        .map(|(code, value)| {
            let value = Object::of(value, "demonyms")?;
            Ok((code.clone(), Demonym { f: value.text_or_blank("f")?, m: value.text_or_blank("m")? }))
        })
        .collect()
}

fn point(coordinates: Option<Object<'_>>) -> Result<Option<LatLng>, Wrong> {
    let Some(coordinates) = coordinates else { return Ok(None) };
    Ok(match (coordinates.number("lat")?, coordinates.number("lng")?) {
        (Some(lat), Some(lng)) => Some(LatLng { lat, lng }),
        _ => None,
    })
}

/// v3.1 writes `1684` as root `+1` and suffix `684`.
fn dialling(codes: &[String]) -> Idd {
    let digits: Vec<&str> =
        codes.iter().map(|code| code.trim_start_matches('+')).filter(|code| !code.is_empty()).collect();
    let Some(root) = digits.first().and_then(|code| code.get(..1)) else { return Idd::default() };
    let suffixes = digits.iter().map(|code| code.strip_prefix(root).unwrap_or(code).to_owned()).collect();
    Idd { root: Some(format!("+{root}")), suffixes }
}
