"""Charts: figures of marts, as Altair specifications.

Every figure takes rows of one question of `app.marts` and draws them; uncertainty is drawn with
every estimate.
"""
