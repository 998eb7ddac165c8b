"""The whole suite on a server of 200,000 accounts with a million posts: how time, memory and requests grow with it.

``python -m benchmarks.load``. How it is measured:

* A server of its own (``server``), as mastodon-mock gives forty pages a second. Each account and post is made from its
  number (``people``) when somebody asks for it, so that any number of them costs no memory. It sends Mastodon's rate
  limit headers with limits so high that the machine is the bound; on a real server the requests are, see
  docs/explanation/sizing.md.
* All else is real: redis-server, ``mastowatch worker``, ``scheduler`` and ``stream``, as their units start them.
* The server grows in three steps, to a quarter, a half and the whole. A step is over when each of its accounts was
  seen, each of its posts has come in by the stream, and no judgement waits.
* Each account passes the rules as polls show it, each post as the stream shows it. One account in ten is a newcomer,
  which is what the shipped rules want to see more of: it is judged with all its posts. On a real server these are the
  accounts of a month with hardly a follower. Of the people of ``make demo`` they are six in a hundred.
* One in a hundred is spam of one of the shipped kinds. Each must have been reported once, and nobody else.
* Memory is ``MEMORY USAGE`` of each key, summed up by family, and what Redis says of itself. Time is the clock's, and
  the CPU time of all workers beside it, which tells more where others use the machine, too.
"""
