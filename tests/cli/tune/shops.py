"""Data with a known right answer as files."""

from conftest import checkerboard


def shop_folder(folder, n_users):
    """People with two tastes."""
    data = checkerboard(n_users=n_users)
    events = data.events
    rows = [f"u{u},i{i},{t:.0f}" for u, i, t in zip(events.user, events.item, events.time, strict=True)]
    (folder / "events.csv").write_text("user_id,item_id,time\n" + "\n".join(rows) + "\n")
    told = [f'{name},"{title}"' for name, title in zip(data.items.ids.ids, data.items.title, strict=True)]
    (folder / "items.csv").write_text("item_id,title\n" + "\n".join(told) + "\n")
    return folder
