//! A mail server, spoken to with SMTP (RFC 5321).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Response};
use malecon_domain::Mail;
use malecon_ports::{MailError, MailFault, Mailer, Refusal};
use secrecy::ExposeSecret;

use crate::message::{address, message};
use crate::server::{Security, Server};

/// Logins that we know, the better one first.
const LOGINS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
/// How long a server may take over our goodbye.
const GOODBYE: Duration = Duration::from_secs(3);
/// Characters of a server's words that are passed on.
const LONGEST_REASON: usize = 500;

/// How a server is spoken to.
#[derive(Clone, Debug)]
pub struct SmtpOptions {
    /// How long one step may take: the connection, the encryption, the login, or the answer to a command.
    pub timeout: Duration,
    /// How long the server may take over the mail when it has it. Short waits make doubles: it may have
    /// taken it when nobody waits for its word any more (RFC 5321, 4.5.3.2.6).
    pub patience: Duration,
    /// Certificates, in DER, that are trusted beside those that the system trusts.
    pub roots: Vec<Vec<u8>>,
}

impl Default for SmtpOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), patience: Duration::from_secs(600), roots: vec![] }
    }
}

/// A server can't be spoken to with these options.
#[derive(Debug, thiserror::Error)]
#[error("no encryption can be had")]
pub struct SmtpError(#[source] Error);

/// Hands mail to one server. Each mail has a connection of its own.
pub struct Smtp {
    server: Server,
    name: ClientId,
    tls: TlsParameters,
    options: SmtpOptions,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Smtp {
    /// A server that is spoken to with these options.
    ///
    /// # Errors
    /// [`SmtpError`] when a certificate among them is none.
    pub fn new(server: Server, options: SmtpOptions) -> Result<Self, SmtpError> {
        let mut tls = TlsParameters::builder(server.host.clone());
        for root in &options.roots {
            tls = tls.add_root_certificate(Certificate::from_der(root.clone()).map_err(SmtpError)?);
        }
        let tls = tls.build_rustls().map_err(SmtpError)?;
        let name = server.name.clone().map_or_else(ClientId::default, ClientId::Domain);
        Ok(Self { server, name, tls, options })
    }

    /// What becomes of a step in its time.
    async fn step<T>(
        &self,
        time: Duration,
        step: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, MailError> {
        match tokio::time::timeout(time, step).await {
            Ok(outcome) => outcome.map_err(|error| of(&error)),
            Err(_) => {
                let reason = format!("the mail server does not answer within {time:?}");
                Err(MailError { fault: MailFault::Later, reason })
            }
        }
    }

    /// A connection that is encrypted and logged in as the settings say.
    async fn connect(&self) -> Result<AsyncSmtpConnection, MailError> {
        let Server { host, port, security, login, .. } = &self.server;
        let (time, tls) = (self.options.timeout, || self.tls.clone());
        let wrapped = (*security == Security::Wrapped).then(tls);
        let there = (host.as_str(), *port);
        let connection = AsyncSmtpConnection::connect_tokio1(there, Some(time), &self.name, wrapped, None);
        // The connection has its time, and the greetings another.
        let mut connection = self.step(time * 2, connection).await?;
        let starts = match security {
            Security::Required => true,
            Security::Opportunistic => connection.can_starttls(),
            Security::Plain | Security::Wrapped => false,
        };
        if starts {
            self.step(time, connection.starttls(tls(), &self.name)).await?;
        }
        if let Some((user, password)) = login {
            let login = Credentials::new(user.clone(), password.expose_secret().to_owned());
            self.step(time, connection.auth(&LOGINS, &login)).await?;
        }
        Ok(connection)
    }

    /// Who is refused of those whom the mail is for; the server waits for the mail of all others.
    async fn address(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &Mail,
    ) -> Result<Vec<Refusal>, MailError> {
        let time = self.options.timeout;
        let from = address(&mail.from).map_err(|error| refused(error.to_string()))?;
        self.step(time, connection.command(MailFrom::new(Some(from), vec![]))).await?;
        let mut refusals = vec![];
        for to in &mail.to {
            let address = address(to).map_err(|error| refused(error.to_string()))?;
            match self.step(time, connection.command(Rcpt::new(address, vec![]))).await {
                Ok(_) => {}
                Err(MailError { fault: MailFault::Refused, reason }) => {
                    refusals.push(Refusal { to: to.clone(), reason });
                }
                Err(MailError { fault, reason }) => {
                    let reason = format!("{}: {reason}", to.email().as_str());
                    return Err(MailError { fault, reason });
                }
            }
        }
        if refusals.len() == mail.to.len() {
            let each =
                refusals.iter().map(|refusal| format!("{}: {}", refusal.to.email().as_str(), refusal.reason));
            return Err(refused(each.collect::<Vec<_>>().join("; ")));
        }
        Ok(refusals)
    }

    async fn deliver(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &Mail,
        bytes: &[u8],
    ) -> Result<Vec<Refusal>, MailError> {
        let refusals = self.address(connection, mail).await?;
        self.step(self.options.timeout, connection.command(Data)).await?;
        let _: Response = self.step(self.options.patience, connection.message(bytes)).await?;
        Ok(refusals)
    }

    /// Says goodbye; whoever has taken the mail has taken it, however that ends.
    async fn leave(&self, mut connection: AsyncSmtpConnection) {
        let _ = self.step(GOODBYE, connection.quit()).await;
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail) -> Result<Vec<Refusal>, MailError> {
        let bytes = message(mail).map_err(|error| refused(error.to_string()))?;
        let mut connection = self.connect().await?;
        let outcome = self.deliver(&mut connection, mail, &bytes).await;
        self.leave(connection).await;
        outcome
    }

    async fn check(&self) -> Result<(), MailError> {
        let connection = self.connect().await?;
        self.leave(connection).await;
        Ok(())
    }
}

fn refused(reason: String) -> MailError {
    MailError { fault: MailFault::Refused, reason }
}

/// What the server said, or what was the matter with the connection. What we ourselves won't do, such
/// as a login that it does not offer, helps nobody to try again.
fn of(error: &Error) -> MailError {
    let fault = if error.is_permanent() || error.is_client() { MailFault::Refused } else { MailFault::Later };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let reason = error.to_string().chars().map(plain).take(LONGEST_REASON).collect();
    MailError { fault, reason }
}
