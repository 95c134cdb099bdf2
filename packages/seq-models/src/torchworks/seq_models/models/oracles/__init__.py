"""The nets of other libraries that ours are compared with, one library a file. Each file imports its library when it is
imported itself; `models/parity.py` names them."""
