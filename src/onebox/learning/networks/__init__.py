"""Networks: backbone, vectorizer and heads."""
