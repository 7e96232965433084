//! Countries as restcountries v3.1 wrote them.

use std::borrow::Cow;

use malecon::domain::{Country, CountryField, FieldSet, LocalName, StoredCountry};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value, json};

/// The JSON schemas of these bodies, which no Rust type mirrors: almost every member may be absent.
pub(crate) const SCHEMA: &str = include_str!("schema.json");

/// Whether a country comes alone or in a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    One,
    List,
}

/// The countries in JSON: with these fields, empty ones included; or with all, empty ones left out.
pub(crate) fn to_json(
    found: &[&StoredCountry],
    fields: Option<FieldSet>,
    shape: Shape,
) -> serde_json::Result<Vec<u8>> {
    let bodies: Vec<Body<'_>> = found.iter().map(|stored| Body(&stored.country, fields)).collect();
    match (shape, &bodies[..]) {
        (Shape::One, [only, ..]) => serde_json::to_vec(only),
        _ => serde_json::to_vec(&bodies),
    }
}

struct Body<'a>(&'a Country, Option<FieldSet>);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(country, fields) = self;
        let full = fields.is_some();
        let mut map = serializer.serialize_map(None)?;
        for field in fields.unwrap_or(FieldSet::ALL).iter() {
            if let Some(value) = member(country, field, full) {
                map.serialize_entry(field.name(), &value)?;
            }
        }
        map.end()
    }
}

/// A member's value; `None` when it is left out.
fn member(country: &Country, field: CountryField, full: bool) -> Option<Value> {
    let text = |text: Option<&String>| shown(json!(text.map_or("", String::as_str)), full);
    let list = |texts: &Vec<String>| shown(json!(texts), full);
    let point = |point: Option<malecon::domain::LatLng>| match point {
        Some(point) => json!([point.lat, point.lng]),
        None => json!([]),
    };
    match field {
        CountryField::Name => {
            let native = names(&country.name.native);
            Some(object([
                ("common", Some(json!(country.name.common))),
                ("official", Some(json!(country.name.official))),
                ("nativeName", shown(native, full)),
            ]))
        }
        CountryField::Tld => list(&country.tld),
        CountryField::Cca2 => Some(json!(country.cca2)),
        CountryField::Ccn3 => text(country.ccn3.as_ref()),
        CountryField::Cca3 => Some(json!(country.cca3)),
        CountryField::Cioc => text(country.cioc.as_ref()),
        CountryField::Independent => country.independent.map(|independent| json!(independent)),
        CountryField::Status => text(Some(&country.status)),
        CountryField::UnMember => Some(json!(country.un_member)),
        CountryField::Currencies => {
            let currencies = country.currencies.iter().map(|currency| {
                let symbol = currency.symbol.as_ref().map(|symbol| json!(symbol));
                (currency.code.clone(), object([("name", Some(json!(currency.name))), ("symbol", symbol)]))
            });
            shown(Value::Object(currencies.collect()), full)
        }
        CountryField::Idd => Some(object([
            ("root", text(country.idd.root.as_ref())),
            ("suffixes", list(&country.idd.suffixes)),
        ])),
        CountryField::Capital => list(&country.capital),
        CountryField::AltSpellings => list(&country.alt_spellings),
        CountryField::Region => text(Some(&country.region)),
        CountryField::Subregion => text(country.subregion.as_ref()),
        CountryField::Languages => {
            let languages =
                country.languages.iter().map(|language| (language.code.clone(), json!(language.name)));
            shown(Value::Object(languages.collect()), full)
        }
        CountryField::Translations => shown(names(&country.translations), full),
        CountryField::Latlng => shown(point(country.latlng), full),
        CountryField::Landlocked => Some(json!(country.landlocked)),
        CountryField::Borders => list(&country.borders),
        CountryField::Area => country.area.map(|area| json!(area)).or(full.then(|| json!(-1.0))),
        CountryField::Demonyms => {
            let demonyms =
                country.demonyms.iter().map(|(code, d)| (code.clone(), json!({"f": d.f, "m": d.m})));
            shown(Value::Object(demonyms.collect()), full)
        }
        CountryField::Flag => text(country.flag.as_ref()),
        CountryField::Maps => Some(object([
            ("googleMaps", text(country.maps.google.as_ref())),
            ("openStreetMaps", text(country.maps.open_street.as_ref())),
        ])),
        CountryField::Population => Some(json!(country.population)),
        CountryField::Gini => shown(json!(country.gini), full),
        CountryField::Fifa => text(country.fifa.as_ref()),
        CountryField::Car => {
            Some(object([("signs", list(&country.car.signs)), ("side", text(country.car.side.as_ref()))]))
        }
        CountryField::Timezones => list(&country.timezones),
        CountryField::Continents => list(&country.continents),
        CountryField::Flags => Some(object([
            ("png", text(country.flags.png.as_ref())),
            ("svg", text(country.flags.svg.as_ref())),
        ])),
        CountryField::CoatOfArms => {
            let url = |url: &Option<String>| url.as_ref().map(|url| json!(url));
            Some(object([("png", url(&country.coat_of_arms.png)), ("svg", url(&country.coat_of_arms.svg))]))
        }
        CountryField::StartOfWeek => text(country.start_of_week.as_ref()),
        CountryField::CapitalInfo => Some(object([("latlng", shown(point(country.capital_latlng), full))])),
        CountryField::PostalCode => {
            let code = country.postal_code.as_ref().map_or_else(Cow::default, Cow::Borrowed);
            let value = object([("format", text(Some(&code.format))), ("regex", text(code.regex.as_ref()))]);
            shown(value, full)
        }
    }
}

/// The value, unless it is empty and empty values are left out.
fn shown(value: Value, full: bool) -> Option<Value> {
    let empty = match &value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    (full || !empty).then_some(value)
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    Value::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn names(names: &std::collections::BTreeMap<String, LocalName>) -> Value {
    let entry = |(code, name): (&String, &LocalName)| {
        (code.clone(), json!({"official": name.official, "common": name.common}))
    };
    Value::Object(names.iter().map(entry).collect::<Map<_, _>>())
}

/// A type of the document that has a schema in [`SCHEMA`] and no values.
macro_rules! documented {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        pub(crate) enum $name {}

        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Reference(stringify!($name).to_owned())
            }

            fn register(registry: &mut Registry) {
                // A place for the schema that the document fills in.
                registry.create_schema::<Self, _>(stringify!($name).to_owned(), |_| MetaSchema::new("object"));
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::empty())
            }
        }
    };
}

documented!(
    /// A list of v3.1 countries.
    V31Countries
);
documented!(
    /// One v3.1 country, or a list of one.
    V31OneOrMany
);
