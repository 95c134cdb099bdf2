"""Watches a service: a log of predictions, drift, latency and error budgets, metrics, and a command when drift stays.

| module | content |
|---|---|
| `monitor` | `Monitor`, which records a service's predictions and reports on them |
| `settings` | `MonitorSettings`: all options |
| `record` | `Prediction`: what is noted of a request |
| `log` | the SQLite file |
| `drift` | `reference`, written at export, and what is compared with it |
| `live` | the last minute, second by second |
| `budgets` | objectives and how fast their budgets burn |
| `metrics` | what Prometheus sees |
| `retrain`, `guardian` | the command that is run when drift stays |
| `mlflow_registry`, `commands` | `serving register` |

Imports no torch, and this file nothing at all: `settings` and `commands` stay quick to import.
"""
