"""LSTM and XGBoost trainers: price tables in, trained bundles out, over processes or a cluster."""
