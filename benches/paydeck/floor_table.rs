//! The floor of the console: a bare table over the newest payments, with nothing else around it.
//!
//! One connection, one thread. `j` and `k` move, page keys read the next 50 rows by key, `/` shows refunded ones.

use std::io::stdout;
use std::path::Path;

use color_eyre::Result;
use crossterm::event::{self, Event, KeyCode};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Constraint;
use ratatui::style::{Modifier, Style};
use ratatui::widgets::{Row, Table, TableState};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Connection as _, Row as _, SqliteConnection};

const FIRST: &str = "select k.id, p.captured_at, p.order_id, p.captured_minor, p.refunded_minor, c.name \
     from (select id, captured_at from payment order by captured_at desc, id desc limit 50) k \
     join payment p on p.id = k.id join customer c on c.id = p.customer_id order by k.captured_at desc, k.id desc";
const NEXT: &str = "select k.id, p.captured_at, p.order_id, p.captured_minor, p.refunded_minor, c.name \
     from (select id, captured_at from payment where (captured_at, id) < (?1, ?2) \
     order by captured_at desc, id desc limit 50) k \
     join payment p on p.id = k.id join customer c on c.id = p.customer_id order by k.captured_at desc, k.id desc";
const REFUNDED: &str = "select k.id, p.captured_at, p.order_id, p.captured_minor, p.refunded_minor, c.name \
     from (select id, captured_at from payment where refunded_minor > 0 \
     order by captured_at desc, id desc limit 50) k \
     join payment p on p.id = k.id join customer c on c.id = p.customer_id order by k.captured_at desc, k.id desc";
/// Rows of the screen that are not the table.
const AROUND: usize = 2;

struct Line {
    id: i64,
    at: i64,
    cells: [String; 4],
}

struct View {
    database: SqliteConnection,
    lines: Vec<Line>,
    top: usize,
    chosen: usize,
    height: usize,
}

/// Runs until the terminal is taken away.
pub fn run(database: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let height = usize::from(terminal.size()?.height).saturating_sub(AROUND);
    let mut view = runtime.block_on(View::open(database, height))?;
    loop {
        terminal.draw(|frame| view.draw(frame))?;
        let Event::Key(key) = event::read()? else {
            continue;
        };
        match key.code {
            KeyCode::Char('j') => view.step_down(),
            KeyCode::Char('k') => view.step_up(),
            KeyCode::PageDown => runtime.block_on(view.page_down())?,
            KeyCode::Char('/') => runtime.block_on(view.show_refunded())?,
            KeyCode::Char('q') => break,
            _ => {}
        }
    }
    Ok(disable_raw_mode()?)
}

impl View {
    async fn open(path: &Path, height: usize) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut database = SqliteConnection::connect_with(&options).await?;
        let rows = sqlx::query(FIRST).fetch_all(&mut database).await?;
        Ok(Self {
            database,
            lines: lines(&rows)?,
            top: 0,
            chosen: 0,
            height,
        })
    }

    fn step_down(&mut self) {
        self.chosen = (self.chosen + 1).min(self.lines.len().saturating_sub(1));
        self.top = self.top.max((self.chosen + 1).saturating_sub(self.height));
    }

    fn step_up(&mut self) {
        self.chosen = self.chosen.saturating_sub(1);
        self.top = self.top.min(self.chosen);
    }

    async fn page_down(&mut self) -> Result<()> {
        let Some(last) = self.lines.get(self.top + self.height / 2) else {
            return Ok(());
        };
        let rows = sqlx::query(NEXT)
            .bind(last.at)
            .bind(last.id)
            .fetch_all(&mut self.database)
            .await?;
        self.lines = lines(&rows)?;
        self.top = 0;
        Ok(())
    }

    async fn show_refunded(&mut self) -> Result<()> {
        let rows = sqlx::query(REFUNDED).fetch_all(&mut self.database).await?;
        self.lines = lines(&rows)?;
        (self.top, self.chosen) = (0, 0);
        Ok(())
    }

    fn draw(&self, frame: &mut ratatui::Frame<'_>) {
        let visible = self.lines.iter().skip(self.top).take(self.height);
        let rows = visible.map(|line| Row::new(line.cells.iter().map(String::as_str)));
        let widths = [20, 28, 12, 14].map(Constraint::Length);
        let table = Table::new(rows, widths)
            .header(Row::new(["captured", "order", "amount", "customer"]))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        let mut state = TableState::new().with_selected(Some(self.chosen - self.top));
        frame.render_stateful_widget(table, frame.area(), &mut state);
    }
}

fn lines(rows: &[SqliteRow]) -> Result<Vec<Line>> {
    rows.iter().map(line).collect()
}

fn line(row: &SqliteRow) -> Result<Line> {
    let at: i64 = row.try_get("captured_at")?;
    let minor: i64 = row.try_get("captured_minor")?;
    let time = chrono::DateTime::from_timestamp_micros(at).unwrap_or_default();
    Ok(Line {
        id: row.try_get("id")?,
        at,
        cells: [
            time.format("%m-%d %H:%M").to_string(),
            row.try_get("order_id")?,
            minor.to_string(),
            row.try_get("name")?,
        ],
    })
}
