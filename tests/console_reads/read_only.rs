//! A session that may only read sees every screen.

use paydeck::console::model::Screen;
use paydeck::store::{DatabaseUrl, OpenOptions, SqlStore};

use crate::house::Console;
use crate::on_both;

on_both!(every_screen_opens_over_a_store_that_was_opened_to_be_read);

async fn every_screen_opens_over_a_store_that_was_opened_to_be_read(url: &DatabaseUrl) {
    let store = SqlStore::open(url, OpenOptions::read_only("tester")).await;
    let mut console = Console::over(store.expect("open")).await;
    for screen in Screen::ALL {
        console.press(&screen.key().to_string()).await;
        let loading = console.model.visit().loading();
        assert!(loading.fault.is_none(), "{}: {loading:?}", screen.id());
        assert!(loading.loaded_at.is_some(), "{}", screen.id());
    }
}
