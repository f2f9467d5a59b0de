"""A small community platform: posts, comments, votes and one chat room."""
