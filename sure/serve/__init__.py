"""An HTTP server for bundles: transcripts, labels, embeddings and speech, with the paths of OpenAI's audio API."""
