//! Which methods a path knows, read from the document.

use poem::http::HeaderValue;
use serde_json::Value;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The paths of the document and their methods.
pub(crate) struct Routes(Vec<Known>);

struct Known {
    name: String,
    segments: Vec<String>,
    allow: String,
}

impl Routes {
    pub fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        Self(
            paths
                .map(|(path, operations)| {
                    let has = |method: &str| operations.get(method.to_lowercase()).is_some();
                    let known = |method: &&str| {
                        has(method) || *method == "OPTIONS" || *method == "HEAD" && has("GET")
                    };
                    let methods: Vec<&str> = METHODS.into_iter().filter(known).collect();
                    let segments = path.trim_end_matches('/').split('/').map(str::to_owned).collect();
                    Known { name: path.clone(), segments, allow: methods.join(", ") }
                })
                .collect(),
        )
    }

    /// The value of `Allow` for a path; `None` for a path that is not there.
    pub fn allowed(&self, path: &str) -> Option<HeaderValue> {
        self.find(path).and_then(|known| HeaderValue::try_from(&known.allow).ok())
    }

    /// The path as the document writes it; `none` for a path that is not there.
    pub fn name(&self, path: &str) -> &str {
        self.find(path).map_or("none", |known| known.name.as_str())
    }

    /// What the document knows of a path. A literal path wins over one with parameters.
    fn find(&self, path: &str) -> Option<&Known> {
        let segments: Vec<&str> = path.split('/').collect();
        let fits =
            |known: &&Known| {
                known.segments.len() == segments.len()
                    && known.segments.iter().zip(&segments).all(|(known, segment)| {
                        known.starts_with('{') && !segment.is_empty() || known == segment
                    })
            };
        let parameters = |known: &&Known| known.segments.iter().filter(|s| s.starts_with('{')).count();
        self.0.iter().filter(fits).min_by_key(parameters)
    }
}
