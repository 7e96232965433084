//! Pictures of dogs from dog.ceo.

use async_trait::async_trait;
use malecon_domain::PictureUrl;
use malecon_ports::{GatewayError, PictureGateway};
use serde_json::Value;
use url::Url;

use crate::UpstreamClient;
use crate::json::{Object, Wrong, parse};

/// Pictures of dog.ceo. They are linked to, never fetched: a link may be dead.
#[derive(Clone)]
pub struct DogCeo {
    client: UpstreamClient,
    url: Url,
}

impl DogCeo {
    /// The API at this URL, e.g. `https://dog.ceo/api`.
    pub fn new(client: UpstreamClient, mut url: Url) -> Self {
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["breeds", "image", "random"]);
        }
        Self { client, url }
    }
}

#[async_trait]
impl PictureGateway for DogCeo {
    async fn random(&self) -> Result<PictureUrl, GatewayError> {
        let read =
            |body: &[u8]| picture(&parse(body)?).map_err(|wrong| GatewayError::Malformed(wrong.into()));
        self.client.get(self.url.clone(), None, read).await
    }
}

/// The picture of an answer that says that it has one.
fn picture(answer: &Value) -> Result<PictureUrl, Wrong> {
    let answer = Object::of(answer, "")?;
    let status = answer.text("status")?.ok_or("status is missing")?;
    let message = answer.text("message")?.ok_or("message is missing")?;
    if status != "success" {
        return Err(format!("its status is {:?}, not \"success\"", short(&status)));
    }
    let url = Url::parse(&message).ok().filter(|url| url.scheme() == "https");
    let url = url.and_then(PictureUrl::new);
    url.ok_or_else(|| format!("message is {:?}, not the https URL of a picture", short(&message)))
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
