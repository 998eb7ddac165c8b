"""``mastowatch setup``: asks everything, checks everything, says what it will write, and only then writes it.

``command`` is the whole from beginning to end; ``begin`` finds out what is there; ``server``, ``token``, ``redis``,
``webhooks``, ``dashboard`` and ``units`` are a question each, which adds to the ``plan``; ``doing`` carries that out.
"""
