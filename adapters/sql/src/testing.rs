//! Databases of one's own, for tests.

use malecon_ports::contract::activity::ActivityStore;
use malecon_ports::contract::country::CountryStore;
use malecon_ports::contract::dog::DogStore;
use malecon_ports::contract::movie::MovieStore;
use malecon_ports::contract::task::TaskStore;
use malecon_ports::contract::user::UserStore;
use malecon_ports::{
    ActivityRepository, CountryRepository, DogRepository, FavoriteRepository, KeyRepository, Lease, Lock,
    LockError, MovieRepository, RatingRepository, RunRepository, ScheduleRepository, SessionRepository,
    TaskQueue, TaskRepository, TokenRepository, UserRepository,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use crate::db::Transaction;
use crate::{
    SqlActivityRepository, SqlCountryRepository, SqlDogs, SqlFavoriteRepository, SqlKeyRepository, SqlLock,
    SqlMovieRepository, SqlOptions, SqlRatingRepository, SqlRuns, SqlSchedules, SqlSessionRepository,
    SqlStore, SqlTasks, SqlTokenRepository, SqlUserRepository,
};

/// A migrated database that nobody else uses; it is dropped with its owner.
pub struct TestDatabase {
    pub store: SqlStore,
    pub url: String,
    countries: SqlCountryRepository,
    activities: SqlActivityRepository,
    lock: SqlLock,
    users: SqlUserRepository,
    tokens: SqlTokenRepository,
    sessions: SqlSessionRepository,
    keys: SqlKeyRepository,
    movies: SqlMovieRepository,
    favorites: SqlFavoriteRepository,
    ratings: SqlRatingRepository,
    tasks: SqlTasks,
    schedules: SqlSchedules,
    runs: SqlRuns,
    dogs: SqlDogs,
    queue: Box<dyn TaskQueue>,
    /// The server and the name of what is to be dropped there.
    dropped: Option<(String, String)>,
}

impl TestDatabase {
    async fn open(url: String, dropped: Option<(String, String)>) -> Self {
        let store = SqlStore::connect(&url, SqlOptions::default()).await.expect("connect");
        store.migrate().await.expect("migrate");
        Self {
            countries: store.countries(),
            activities: store.activities(),
            lock: store.lock(),
            users: store.users(),
            tokens: store.tokens(),
            sessions: store.sessions(),
            keys: store.keys(),
            movies: store.movies(),
            favorites: store.favorites(),
            ratings: store.ratings(),
            tasks: store.tasks(),
            schedules: store.schedules(),
            runs: store.runs(),
            dogs: store.dogs(),
            queue: Box::new(store.queue()),
            store,
            url,
            dropped,
        }
    }

    /// The same, where this queue takes up what another store of the database adds.
    #[must_use]
    pub fn told_by(mut self, store: &SqlStore, queue: impl TaskQueue + 'static) -> Self {
        (self.runs, self.schedules, self.dogs) = (store.runs(), store.schedules(), store.dogs());
        self.queue = Box::new(queue);
        self
    }
}

/// A transaction that holds the rows of all users, and does nothing more: that of a process whose host
/// has vanished.
pub struct Held(Transaction);

impl Held {
    /// Takes them.
    pub async fn users(store: &SqlStore) -> Self {
        let transaction = store.db.begin().await.expect("begin");
        transaction.execute_unprepared("SELECT * FROM users FOR UPDATE").await.expect("lock");
        Self(transaction)
    }

    /// Whether it could still write what it wanted.
    pub async fn ends_well(self) -> bool {
        self.0.commit().await.is_ok()
    }
}

/// Somebody else who uses a database: one connection of its own.
pub struct Session(DatabaseConnection);

impl Session {
    /// Opens it.
    pub async fn open(url: &str) -> Self {
        let options = ConnectOptions::new(url).max_connections(1).sqlx_logging(false).to_owned();
        Self(Database::connect(options).await.expect("connect"))
    }

    /// Does what these statements say.
    pub async fn run(&mut self, sql: &str) {
        self.0.execute_unprepared(sql).await.expect("a statement");
    }
}

/// A database in memory.
pub async fn sqlite() -> TestDatabase {
    TestDatabase::open("sqlite::memory:".to_owned(), None).await
}

/// A new database on the server of this URL, whose user may create databases.
pub async fn postgres(server: &str) -> TestDatabase {
    let name = format!("malecon_test_{}", uuid::Uuid::new_v4().simple());
    let admin = Database::connect(server).await.expect("a PostgreSQL server");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("create database");
    admin.close().await.expect("close");
    let mut url = url::Url::parse(server).expect("a URL");
    url.set_path(&name);
    TestDatabase::open(url.to_string(), Some((server.to_owned(), name))).await
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.dropped.take() else { return };
        // A runtime of its own: the test's may be ending.
        let drop = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let admin = Database::connect(server).await.ok()?;
                admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.ok()
            })
        });
        let _ = drop.join();
    }
}

impl CountryStore for TestDatabase {
    fn repository(&self) -> &dyn CountryRepository {
        &self.countries
    }

    fn lock(&self) -> &dyn Lock {
        &self.lock
    }
}

impl ActivityStore for TestDatabase {
    fn activities(&self) -> &dyn ActivityRepository {
        &self.activities
    }
}

#[async_trait::async_trait]
impl Lock for TestDatabase {
    async fn acquire(&self, name: &str, ttl: std::time::Duration) -> Result<Option<Lease>, LockError> {
        self.lock.acquire(name, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: std::time::Duration) -> Result<bool, LockError> {
        self.lock.renew(lease, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), LockError> {
        self.lock.release(lease).await
    }
}

impl UserStore for TestDatabase {
    fn users(&self) -> &dyn UserRepository {
        &self.users
    }

    fn tokens(&self) -> &dyn TokenRepository {
        &self.tokens
    }

    fn sessions(&self) -> &dyn SessionRepository {
        &self.sessions
    }

    fn keys(&self) -> &dyn KeyRepository {
        &self.keys
    }
}

impl MovieStore for TestDatabase {
    fn users(&self) -> &dyn UserRepository {
        &self.users
    }

    fn movies(&self) -> &dyn MovieRepository {
        &self.movies
    }

    fn favorites(&self) -> &dyn FavoriteRepository {
        &self.favorites
    }

    fn ratings(&self) -> &dyn RatingRepository {
        &self.ratings
    }
}

impl TaskStore for TestDatabase {
    fn tasks(&self) -> &dyn TaskRepository {
        &self.tasks
    }

    fn schedules(&self) -> &dyn ScheduleRepository {
        &self.schedules
    }

    fn runs(&self) -> &dyn RunRepository {
        &self.runs
    }

    fn queue(&self) -> &dyn TaskQueue {
        &*self.queue
    }
}

impl DogStore for TestDatabase {
    fn dogs(&self) -> &dyn DogRepository {
        &self.dogs
    }
}
