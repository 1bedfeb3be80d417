# The modules of liblocara and the arrows between them: the one table of the architecture.
# CMake links each module from its row; `scripts/check/arrows` compares the rows with the #include lines.
# A module may include itself, what its row names, and `base`. Arrows point down only.
set(LOCARA_MODULES
    "base     ->"
    "crypto   -> base"
    "xet      -> crypto"
    "cas      -> crypto xet"
    "formats  -> base"
    "convert  -> formats"
    "sandbox  -> base"
    "gate     -> formats sandbox"
    "store    -> crypto xet"
    "manifest -> crypto"
    "catalog  -> crypto manifest"
    "policy   -> crypto formats gate manifest catalog"
    "http     -> base"
    "hf       -> crypto http xet store"
    "engine   -> sandbox http store"
    "runtime  -> crypto xet formats store manifest policy catalog http hf sandbox gate engine convert"
    "hub      -> crypto xet cas formats store manifest policy catalog http hf sandbox gate"
)
