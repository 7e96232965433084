//! restcountries v3.1: another Malecón, or a copy that somebody hosts.

use std::collections::HashMap;

use async_trait::async_trait;
use malecon_domain::{
    Batch, CountryField, CountryName, CountryRecord, Currency, FieldSet, Flags, Language, LocalName,
    Rejection,
};
use malecon_ports::{CountryGateway, GatewayError};
use serde_json::Value;
use url::Url;

use crate::UpstreamClient;
use crate::json::{Object, Wrong, label, parse, rows, sort_out};

/// One request carries at most ten fields.
const FIRST: [CountryField; 10] = [
    CountryField::Cca3,
    CountryField::Name,
    CountryField::Cca2,
    CountryField::Ccn3,
    CountryField::Capital,
    CountryField::Currencies,
    CountryField::Continents,
    CountryField::Region,
    CountryField::Subregion,
    CountryField::AltSpellings,
];
const SECOND: [CountryField; 10] = [
    CountryField::Cca3,
    CountryField::Languages,
    CountryField::Population,
    CountryField::Area,
    CountryField::Latlng,
    CountryField::Timezones,
    CountryField::Flag,
    CountryField::Flags,
    CountryField::Independent,
    CountryField::Borders,
];

/// Countries of a v3.1-compatible API.
#[derive(Clone, Debug)]
pub struct RestCountriesV31 {
    client: UpstreamClient,
    base: Url,
}

impl RestCountriesV31 {
    /// The API under this base, e.g. `http://host/v3.1`.
    pub fn new(client: UpstreamClient, base: Url) -> Self {
        Self { client, base }
    }

    async fn ask(&self, fields: &[CountryField]) -> Result<Vec<Value>, GatewayError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("all");
        }
        let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
        url.set_query(Some(&format!("fields={}", names.join(","))));
        self.client.get(url, None, |body| rows(parse(body)?)).await
    }
}

#[async_trait]
impl CountryGateway for RestCountriesV31 {
    fn source(&self) -> String {
        "restcountries-v3.1".to_owned()
    }

    async fn fetch(&self) -> Result<Batch, GatewayError> {
        let first = self.ask(&FIRST).await?;
        let second = self.ask(&SECOND).await?;
        Ok(join(&first, &second))
    }
}

/// One batch of both answers.
pub(crate) fn join(first: &[Value], second: &[Value]) -> Batch {
    let code = |row: &Value| row.get("cca3").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut others: HashMap<String, &Value> = second.iter().map(|row| (code(row), row)).collect();
    let read = first.iter().enumerate().map(|(index, row)| {
        let code = code(row);
        let record = match others.remove(&code) {
            Some(other) => record(row, other),
            None => Err("is not in the second answer".to_owned()),
        };
        (label(Some(&code), index), record)
    });
    let (records, mut rejected) = sort_out(read);
    let mut left: Vec<String> = others.into_keys().collect();
    left.sort();
    rejected.extend(left.into_iter().enumerate().map(|(index, code)| Rejection {
        record: label(Some(&code), index),
        reason: "is not in the first answer".to_owned(),
    }));
    let covered: FieldSet = FIRST.into_iter().chain(SECOND).collect();
    Batch { covered, records, rejected }
}

fn record(first: &Value, second: &Value) -> Result<CountryRecord, Wrong> {
    let (a, b) = (Object::of(first, "")?, Object::of(second, "")?);
    let flags = b.object("flags")?;
    let picture = |name| flags.map_or(Ok(None), |flags| flags.text(name));
    Ok(CountryRecord {
        cca3: a.text_or_blank("cca3")?,
        cca2: a.text_or_blank("cca2")?,
        ccn3: a.text("ccn3")?,
        name: name(a.object("name")?.ok_or("name is missing")?)?,
        capital: a.texts("capital")?,
        currencies: currencies(a)?,
        continents: a.texts("continents")?,
        region: a.text_or_blank("region")?,
        subregion: a.text("subregion")?,
        alt_spellings: a.texts("altSpellings")?,
        languages: languages(b)?,
        population: b.count("population")?,
        area: b.area("area")?,
        latlng: b.point("latlng")?,
        timezones: b.texts("timezones")?,
        flag: b.text("flag")?,
        flags: Flags { png: picture("png")?, svg: picture("svg")? },
        independent: b.flag("independent")?,
        borders: b.texts("borders")?,
        ..CountryRecord::default()
    })
}

fn name(name: Object<'_>) -> Result<CountryName, Wrong> {
    let mut native = std::collections::BTreeMap::new();
    if let Some(names) = name.object("nativeName")? {
        for (code, value) in names.members() {
            let value = Object::of(value, "name.nativeName")?;
            let local = LocalName {
                official: value.text_or_blank("official")?,
                common: value.text_or_blank("common")?,
            };
            native.insert(code.clone(), local);
        }
    }
    Ok(CountryName {
        common: name.text_or_blank("common")?,
        official: name.text_or_blank("official")?,
        native,
    })
}

fn currencies(country: Object<'_>) -> Result<Vec<Currency>, Wrong> {
    let Some(currencies) = country.object("currencies")? else { return Ok(vec![]) };
    currencies
        .members()
        .map(|(code, value)| {
            let value = Object::of(value, "currencies")?;
            Ok(Currency {
                code: code.clone(),
                name: value.text_or_blank("name")?,
                symbol: value.text("symbol")?,
            })
        })
        .collect()
}

fn languages(country: Object<'_>) -> Result<Vec<Language>, Wrong> {
    let Some(languages) = country.object("languages")? else { return Ok(vec![]) };
    languages
        .members()
        .map(|(code, _)| Ok(Language { code: code.clone(), name: languages.text_or_blank(code)? }))
        .collect()
}
