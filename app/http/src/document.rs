//! The OpenAPI document: what poem-openapi derives, and what it can't know.

use std::sync::{Arc, OnceLock};

use poem_openapi::{OpenApiService, ServerObject};
use serde_json::{Value, json};

use crate::activity::{self, ActivityApi};
use crate::around::{self, AroundApi};
use crate::body::{self, Member};
use crate::country::{self, CountryApi};
use crate::dog::{self, DogApi, KennelApi};
use crate::file::{self, FileApi};
use crate::job::JobApi;
use crate::movie::{self, MovieApi, ShelfApi};
use crate::query::Param;
use crate::services::{HttpSettings, Services};
use crate::task::{self, EventApi, RunApi, TaskApi};
use crate::token::{self, TokenApi};
use crate::user::{self, UserApi};
use crate::v31::{self, V31Api};

type Apis = (
    CountryApi,
    ActivityApi,
    V31Api,
    MovieApi,
    ShelfApi,
    DogApi,
    KennelApi,
    UserApi,
    TokenApi,
    TaskApi,
    RunApi,
    EventApi,
    JobApi,
    FileApi,
    AroundApi,
);

/// The parameters of each operation.
const PARAMS: &[(&str, &[Param])] = &[
    ("listCountries", country::LIST),
    ("exportCountries", country::EXPORT),
    ("showCountry", country::ONE),
    ("listActivities", activity::LIST),
    ("v31All", v31::FIELDS),
    ("v31Name", v31::NAME),
    ("v31Alpha", v31::FIELDS),
    ("v31Alphas", v31::ALPHA),
    ("v31Currency", v31::FIELDS),
    ("v31Language", v31::FIELDS),
    ("v31Capital", v31::FIELDS),
    ("v31Region", v31::FIELDS),
    ("v31Subregion", v31::FIELDS),
    ("v31Translation", v31::FIELDS),
    ("v31Demonym", v31::FIELDS),
    ("v31Independent", v31::INDEPENDENT),
    ("listPopularMovies", movie::POPULAR),
    ("listFavorites", movie::LIST),
    ("listRatings", movie::LIST),
    ("listDogs", dog::LIST),
    ("listAdoptedDogs", dog::LIST),
    ("showDog", dog::ONE),
    ("listUserDogs", dog::LIST),
    ("listUsers", user::LIST),
    ("listTokens", token::LIST),
    ("removeTokens", token::REMOVE_ALL),
    ("listTasks", task::LIST),
    ("listTaskRuns", task::RUNS),
    ("showSchema", around::SCHEMA),
];

/// The members of each operation's body, and an example of it.
const BODIES: &[(&str, &[Member], &str)] = &[
    ("addFavorite", movie::MOVIE, movie::MOVIE_EXAMPLE),
    ("addRating", movie::RATING, movie::RATING_EXAMPLE),
    ("putRating", movie::STARS, movie::STARS_EXAMPLE),
    ("changeRating", movie::STARS, movie::STARS_EXAMPLE),
    ("addDog", dog::NEW, dog::EXAMPLE),
    ("changeDog", dog::CHANGE, dog::EXAMPLE),
    ("addUser", user::NEW, user::EXAMPLE),
    ("replaceUser", user::WHOLE, user::EXAMPLE),
    ("changeUser", user::PART, user::EXAMPLE),
    ("logIn", token::LOGIN, token::LOGIN_EXAMPLE),
    ("refreshToken", token::REFRESH, token::REFRESH_EXAMPLE),
    ("revokeToken", token::REFRESH, token::REFRESH_EXAMPLE),
    ("addToken", token::NEW, token::NEW_EXAMPLE),
    ("addTask", task::WHOLE, task::EXAMPLE),
    ("replaceTask", task::WHOLE, task::EXAMPLE),
    ("changeTask", task::PART, task::PART_EXAMPLE),
    ("replayTaskRun", task::REPLAY, task::REPLAY_EXAMPLE),
];

/// What may be in the way of operations: the codes of their 409.
const CONFLICTS: &[(&str, &[&str])] = &[
    ("`already_rated`: this user has rated this movie", &["addRating"]),
    ("`email_taken`: another user has this e-mail address", &["addUser", "replaceUser", "changeUser"]),
    ("`expires_in_the_past`: the token would have ended already", &["addToken"]),
    ("`last_admin`: no other administrator would be left", &["replaceUser", "changeUser", "removeUser"]),
    ("`wrong_password`: the present password is missing or another one", &["replaceUser", "changeUser"]),
    ("`name_taken`: another dog is called like this", &["addDog"]),
    ("`job_under_way`: the job is not over yet", &["replayJob"]),
    ("`run_over`: the run is over", &["cancelTaskRun"]),
    ("`sync_running`: a sync of countries is running", &["syncCountries"]),
];

/// Writes that answer with the ETag of what was written.
const TAGGED: &[(&str, &str)] =
    &[("addTask", "201"), ("replaceTask", "200"), ("changeTask", "200"), ("changeDog", "200")];

/// The order of the groups: what most people come for goes first.
const TAGS: [&str; 9] = [
    "Countries",
    "restcountries v3.1",
    "Movies",
    "Dogs",
    "Integration tasks",
    "Jobs",
    "Files",
    "Users",
    "Tokens",
];

/// The document, finished, and the page that shows it.
pub(crate) struct Document {
    /// OpenAPI 3.0.
    pub json: Value,
    derived: Box<dyn Fn() -> (String, String) + Send + Sync>,
}

/// The handlers, and the document that describes them.
pub(crate) fn service(
    services: &Arc<Services>,
    settings: &HttpSettings,
) -> (OpenApiService<Apis, ()>, Arc<Document>) {
    let make = {
        let (services, settings) = (Arc::clone(services), settings.clone());
        move |document: Arc<OnceLock<Arc<Document>>>| {
            let around = AroundApi { services: Arc::clone(&services), settings: settings.clone(), document };
            described((
                CountryApi(Arc::clone(&services)),
                ActivityApi(Arc::clone(&services)),
                V31Api(Arc::clone(&services)),
                MovieApi(Arc::clone(&services)),
                ShelfApi(Arc::clone(&services)),
                DogApi(Arc::clone(&services)),
                KennelApi(Arc::clone(&services)),
                UserApi(Arc::clone(&services)),
                TokenApi(Arc::clone(&services)),
                TaskApi(Arc::clone(&services)),
                RunApi(Arc::clone(&services)),
                EventApi::new(Arc::clone(&services), settings.stopping.clone()),
                JobApi(Arc::clone(&services)),
                FileApi { services: Arc::clone(&services), patience: settings.body_timeout },
                around,
            ))
        }
    };
    let place = Arc::new(OnceLock::new());
    let service = make(Arc::clone(&place));
    let json = finished(serde_json::from_str(&service.spec()).unwrap_or_default());
    let derived = Box::new(move || {
        let bare = make(Arc::default());
        (bare.swagger_ui_html(), bare.spec())
    });
    let document = Arc::new(Document { json, derived });
    let document = Arc::clone(place.get_or_init(|| document));
    (service, document)
}

/// The document of the API, in YAML: what `openapi.yaml` must hold. The services are not called.
pub fn openapi_yaml(services: &Services) -> String {
    service(&Arc::new(services.clone()), &HttpSettings::default()).1.yaml()
}

fn described(apis: Apis) -> OpenApiService<Apis, ()> {
    OpenApiService::new(apis, "Malecón", env!("CARGO_PKG_VERSION"))
        .description(
            "A sea wall between programs and the public APIs they depend on: countries as `/api/countries` and under the contract of restcountries v3.1, served from Malecón's \
             own store; movies from TMDB, kept for when it fails; users with favorites and ratings; dogs with pictures. Failures are \
             RFC 9457 problem details. Lists are pages; every GET has an ETag.\n\n\
             This product uses the TMDB API but is not endorsed or certified by TMDB.",
        )
        .license("MIT OR Apache-2.0")
        .server(ServerObject::new("/"))
}

impl Document {
    /// The document in YAML.
    pub fn yaml(&self) -> String {
        serde_yaml_ng::to_string(&self.json).unwrap_or_default()
    }

    /// Swagger UI showing the document, every asset inside. It is large and rarely asked for, so it
    /// is made anew each time.
    pub fn page(&self) -> String {
        let (page, derived) = (self.derived)();
        // A `</script>` in a description would end the script that the document stands in.
        let json = self.json.to_string().replace("</", "<\\/");
        page.replace(&derived, &json)
            .replacen("<html charset=\"UTF-8\">", "<!DOCTYPE html>\n<html lang=\"en\">", 1)
            .replacen("<title>Swagger UI</title>", "<title>Malecón API</title>", 1)
    }
}

/// What poem-openapi can't know: parameters read from tables, schemas written by hand, and that
/// optional members are null when absent.
fn finished(mut document: Value) -> Value {
    let parameters = |operation: &Value| {
        let id = operation["operationId"].as_str()?;
        let (_, table) = PARAMS.iter().find(|(known, _)| *known == id)?;
        Some(table.iter().map(Param::document).collect::<Vec<_>>())
    };
    for (path, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for operation in operations.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
            if let Some(more) = parameters(operation) {
                match operation["parameters"].as_array_mut() {
                    Some(list) => list.extend(more),
                    None => operation["parameters"] = Value::from(more),
                }
            }
            let body = BODIES.iter().find(|(id, ..)| operation["operationId"] == *id);
            if let Some((_, members, example)) = body {
                operation["requestBody"] = body::document(members, example);
            }
            let conflicts =
                CONFLICTS.iter().filter(|(_, ids)| ids.iter().any(|id| operation["operationId"] == *id));
            let conflicts: Vec<_> = conflicts.map(|(what, _)| *what).collect();
            if !conflicts.is_empty() {
                operation["responses"]["409"] = operation["responses"]["default"].clone();
                operation["responses"]["409"]["description"] = json!(conflicts.join("; "));
            }
            if let Some((_, status)) = TAGGED.iter().find(|(id, _)| operation["operationId"] == *id) {
                operation["responses"][status]["headers"]["ETag"] =
                    json!({"description": "Validator for If-Match", "schema": {"type": "string"}});
            }
            if operation["operationId"] == "changeTask" {
                let content = &mut operation["requestBody"]["content"];
                content[task::MERGE_PATCH] = content["application/json"].clone();
            }
            if operation["operationId"] == "executeTask"
                && let Some(parameters) = operation["parameters"].as_array_mut()
            {
                parameters.push(task::key_document());
            }
            if ["replayTaskRun", "addDog"].iter().any(|id| operation["operationId"] == *id) {
                operation["requestBody"]["required"] = json!(false);
            }
            if path == "/api/dogs/{name}"
                && let Some(parameters) = operation["parameters"].as_array_mut()
            {
                let in_path = parameters.iter_mut().filter(|parameter| parameter["in"] == "path");
                in_path.for_each(|parameter| parameter["schema"] = dog::name_document());
            }
            if operation["operationId"] == "sendFile" {
                operation["requestBody"] = file::body_document();
                operation["responses"]["201"]["content"]["application/json"]["example"] =
                    file::answer_example();
            }
            if path.starts_with("/v3.1") {
                operation["responses"]["default"]["content"]["application/json"] =
                    json!({"schema": {"$ref": "#/components/schemas/V31Error"}});
            }
            if operation["operationId"] == "exportCountries" {
                operation["responses"]["200"]["content"]["text/csv"] = json!({"schema": {"type": "string"}});
            }
            if operation["operationId"] == "showSchema" {
                operation["responses"]["200"]["content"]["application/yaml"] =
                    json!({"schema": {"type": "object"}});
            }
            if operation["operationId"] == "showReadiness" {
                operation["responses"]["503"] = operation["responses"]["200"].clone();
                operation["responses"]["503"]["description"] =
                    json!("Something that is needed does not answer");
            }
        }
    }
    let schemas = &mut document["components"]["schemas"];
    for schema in schemas.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
        nullable(schema);
    }
    let by_hand: Value = serde_json::from_str(v31::SCHEMA).unwrap_or_default();
    for (name, schema) in by_hand.as_object().into_iter().flatten() {
        schemas[name] = schema.clone();
    }
    // With `fields` they have the named members only.
    for sparse in ["Country", "Dog"] {
        if let Some(schema) = schemas[sparse].as_object_mut() {
            schema.remove("required");
        }
    }
    if let Some(tags) = document["tags"].as_array_mut() {
        let place = |tag: &Value| TAGS.iter().position(|name| tag["name"] == *name).unwrap_or(TAGS.len());
        tags.sort_by_key(place);
    }
    document
}

/// Members that are not required may be null.
fn nullable(schema: &mut Value) {
    let required = schema["required"].clone();
    let is_required =
        |name: &String| required.as_array().is_some_and(|list| list.iter().any(|member| member == name));
    for (name, member) in schema["properties"].as_object_mut().into_iter().flatten() {
        if !is_required(name) && (member.get("type").is_some() || member.get("allOf").is_some()) {
            member["nullable"] = json!(true);
        }
    }
}
