//! JSON bodies of activities.

use malecon::domain::Activity;
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;

use crate::listing::page_of;

/// A thing to do.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Activity", example)]
pub(crate) struct ActivityBody {
    /// Wikidata's name for the sight.
    id: String,
    /// What people call the sight; in English, if it has an English name.
    name: String,
    /// What one does there, e.g. `visit_museum`, `hike` or `swim`.
    kind: String,
    /// A few words about the sight.
    description: Option<String>,
    /// Latitude and longitude, in degrees; empty when unknown.
    latlng: Vec<f64>,
    /// URL of a picture; its page at Wikimedia Commons names its author and licence.
    picture: Option<String>,
    /// URL of the sight's page at Wikidata.
    source: String,
    /// Whether it is on UNESCO's World Heritage List.
    world_heritage: bool,
}

impl Example for ActivityBody {
    fn example() -> Self {
        Self {
            id: "Q676203".to_owned(),
            name: "Machu Picchu".to_owned(),
            kind: "explore_ruins".to_owned(),
            description: Some("Inca citadel in Peru".to_owned()),
            latlng: vec![-13.163, -72.546],
            picture: Some(
                "https://commons.wikimedia.org/wiki/Special:FilePath/Machu%20Picchu.jpg".to_owned(),
            ),
            source: "https://www.wikidata.org/wiki/Q676203".to_owned(),
            world_heritage: true,
        }
    }
}

impl From<Activity> for ActivityBody {
    fn from(activity: Activity) -> Self {
        let record = activity.into_record();
        Self {
            id: record.id,
            name: record.name,
            kind: record.kind.name().to_owned(),
            description: record.description,
            latlng: record.latlng.map(|point| vec![point.lat, point.lng]).unwrap_or_default(),
            picture: record.picture,
            source: record.source,
            world_heritage: record.world_heritage,
        }
    }
}

page_of!(ActivityPage, ActivityBody, "A page of things to do.");
