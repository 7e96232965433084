//! A TCP proxy before a server, which can be shut or frozen: what outages look like.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the proxy treats connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Bytes flow.
    Open,
    /// Connections are closed, and new ones too.
    Shut,
    /// Connections stay, and not a byte moves.
    Frozen,
    /// Connections are as good as dead and nobody is told, as when a host vanishes; new ones flow, as to
    /// the host that has taken its place.
    Lost,
}

/// The proxy. It ends with its owner.
pub struct Dam {
    pub address: SocketAddr,
    gate: Arc<watch::Sender<Gate>>,
    task: tokio::task::JoinHandle<()>,
}

impl Dam {
    /// Before the server at `host:port`.
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(watch::Sender::new(Gate::Open));
        let shared = Arc::clone(&gate);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (mut gate, server) = (shared.subscribe(), server.clone());
                tokio::spawn(async move {
                    let mut upstream: Option<TcpStream> = None;
                    let is_new = *gate.borrow() == Gate::Lost;
                    loop {
                        let now = *gate.borrow_and_update();
                        match now {
                            Gate::Shut => return,
                            Gate::Frozen => {
                                let _ = gate.changed().await;
                            }
                            Gate::Lost if !is_new => std::future::pending().await,
                            Gate::Open | Gate::Lost => {
                                if upstream.is_none() {
                                    upstream = TcpStream::connect(&server).await.ok();
                                }
                                let Some(upstream) = &mut upstream else { return };
                                tokio::select! {
                                    _ = copy_bidirectional(&mut client, upstream) => return,
                                    _ = gate.changed() => {}
                                }
                            }
                        }
                    }
                });
            }
        });
        Self { address, gate, task }
    }

    pub fn turn(&self, gate: Gate) {
        self.gate.send_replace(gate);
    }
}

impl Drop for Dam {
    fn drop(&mut self) {
        self.task.abort();
    }
}
