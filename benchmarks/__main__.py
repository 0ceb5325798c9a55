"""`python -m benchmarks`: run the relay benchmark."""

from benchmarks.relay import main

main()
