//! Comments.

use crate::scene::{Scene, Stage, hash, lives};

#[tokio::test]
async fn comments_come_along() {
    let setup = r#"
        create table teams (id int primary key);
        insert into teams values (1);
        create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
        create table things (id int primary key, team_id int references teams, a text check (a <> ''));
        insert into things values (1, 1, 'a');
        create index things_a_idx on things (a);
        create trigger touch before update on things for each row execute function touch();
        comment on table things is E'it''s a \\ "table" 🐘\nwith two lines';
        comment on column things.a is 'letters';
        comment on index things_a_idx is 'letters, found';
        comment on constraint things_pkey on things is 'key';
        comment on constraint things_a_check on things is 'not nothing';
        comment on constraint things_team_id_fkey on things is 'team';
        comment on trigger touch on things is 'touches';
    "#;
    async fn look(scene: &Scene, stage: Stage) {
        let text = scene.ask("select obj_description('things'::regclass)").await;
        assert_eq!(text, "it's a \\ \"table\" 🐘\nwith two lines", "{stage:?}");
    }
    lives("carry_comment", "things", setup, &hash("id", "2"), look).await;
}
