#include <locara/base/progress.hpp>

namespace locara {

ProgressSink& null_progress() {
    class Null : public ProgressSink {
      public:
        void report(const Progress&) override {}
    };

    static Null sink;
    return sink;
}

} // namespace locara
