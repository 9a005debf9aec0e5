"""`python -m seq2seq.models`: the verb `models`, whose file has another name than this room."""

import sys

from seq2seq.models_verb import main

sys.exit(main())
