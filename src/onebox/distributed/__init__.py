"""Work on a Ray cluster: prediction, training and tuning; nothing else imports Ray."""
