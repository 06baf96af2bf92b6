//! The selection is a row and not a place: it stays on it in any order, and when the rows are read again.

use paydeck::console::Msg;
use paydeck::console::model::{Model, RowKey};
use paydeck::store::DatabaseUrl;

use crate::house::{Console, open};
use crate::on_both;

on_both!(the_selection_follows_its_row_in_any_order_and_when_rows_are_read_again);

fn selected(model: &Model) -> RowKey {
    let list = model.visit().list().expect("a list");
    list.current().expect("a row").key()
}

async fn the_selection_follows_its_row_in_any_order_and_when_rows_are_read_again(
    url: &DatabaseUrl,
) {
    let mut console = Console::over(open(url).await).await;
    for screen in ["2", "3", "5", "6"] {
        console.press(screen).await;
        console.press("j j j j").await;
        let chosen = selected(&console.model);
        for keys in ["O", "O", "o j enter", "O", "O"] {
            console.press(keys).await;
            assert_eq!(selected(&console.model), chosen, "{screen}: after {keys}");
        }
        console
            .send(Msg::Version(i64::from(screen.as_bytes()[0])))
            .await;
        assert_eq!(selected(&console.model), chosen, "{screen}: read again");
        console.press("k k").await;
        assert_ne!(selected(&console.model), chosen, "{screen}: rows before it");
        console.press("G g").await;
        let list = console.model.visit().list().expect("a list");
        assert!(list.paged.selected == 0 && !list.paged.more_earlier);
    }
}
