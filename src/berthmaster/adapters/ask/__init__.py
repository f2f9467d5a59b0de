"""The ask responder: says whether a name may have a certificate; a tiny process of its own."""
