//! A country's activities in its row: a list in JSON.

use malecon_domain::{Activity, ActivityKind, ActivityRecord, LatLng};
use malecon_ports::RepositoryError;
use serde::{Deserialize, Serialize};

/// What is missing is left out.
#[derive(Serialize, Deserialize)]
struct ActivityJson {
    id: String,
    name: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Latitude and longitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latlng: Option<(f64, f64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    source: String,
    #[serde(default)]
    world_heritage: bool,
}

/// The list as its row holds it.
pub fn write(activities: &[Activity]) -> Result<String, RepositoryError> {
    let list: Vec<ActivityJson> = activities.iter().map(ActivityJson::from).collect();
    serde_json::to_string(&list).map_err(|error| RepositoryError::Corrupt(error.into()))
}

/// The list that a row holds.
pub fn read(list: &str) -> Result<Vec<Activity>, RepositoryError> {
    let list: Vec<ActivityJson> =
        serde_json::from_str(list).map_err(|error| RepositoryError::Corrupt(error.into()))?;
    list.into_iter().map(Activity::try_from).collect()
}

impl From<&Activity> for ActivityJson {
    fn from(activity: &Activity) -> Self {
        let record = activity.clone().into_record();
        Self {
            id: record.id,
            name: record.name,
            kind: record.kind.name().to_owned(),
            description: record.description,
            latlng: record.latlng.map(|point| (point.lat, point.lng)),
            picture: record.picture,
            source: record.source,
            world_heritage: record.world_heritage,
        }
    }
}

impl TryFrom<ActivityJson> for Activity {
    type Error = RepositoryError;

    fn try_from(json: ActivityJson) -> Result<Self, RepositoryError> {
        let kind = ActivityKind::from_name(&json.kind)
            .ok_or_else(|| RepositoryError::Corrupt(format!("there is no kind {}", json.kind).into()))?;
        let record = ActivityRecord {
            id: json.id,
            name: json.name,
            kind,
            description: json.description,
            latlng: json.latlng.map(|(lat, lng)| LatLng { lat, lng }),
            picture: json.picture,
            source: json.source,
            world_heritage: json.world_heritage,
        };
        Self::new(record).map_err(|error| RepositoryError::Corrupt(error.into()))
    }
}
