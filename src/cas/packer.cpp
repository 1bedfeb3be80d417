#include "packer.hpp"

#include <algorithm>
#include <utility>

namespace locara::cas {

namespace {

constexpr std::size_t kMaxInWork = 8U << 20U;

} // namespace

Packer::Packer(Cas::State& cas, unsigned threads) : cas_(cas) {
    for (unsigned i = 1; i < threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

Packer::~Packer() {
    {
        const std::lock_guard guard(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

void Packer::pack(Job& job, xet::Compressor& compressor) {
    const auto packed = compressor.pack(job.raw);
    job.scheme = packed.scheme;
    if (packed.scheme != xet::Compression::None) {
        job.packed.assign(packed.bytes.begin(), packed.bytes.end());
    }
}

Packer::Job* Packer::take_job() {
    const auto it = std::find_if(jobs_.begin(), jobs_.end(), [](const auto& job) {
        return job->stage == Job::Stage::Waiting;
    });
    if (it == jobs_.end()) {
        return nullptr;
    }
    (*it)->stage = Job::Stage::Taken;
    return it->get();
}

void Packer::work() {
    xet::Compressor compressor;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        Job* job = take_job();
        if (job == nullptr) {
            changed_.wait(lock);
            continue;
        }
        lock.unlock();
        pack(*job, compressor); // it stays in jobs_ until it is done
        lock.lock();
        job->stage = Job::Stage::Done;
        changed_.notify_all();
    }
}

Result<NewPlace> Packer::add(const xet::ChunkHash& hash, ByteView raw) {
    const std::size_t most = next_raw_bytes_ + raw.size() +
                             (next_index_ + 1) * xet::kChunkHeaderBytes +
                             xet::footer_bytes(next_index_ + 1);
    if (most > xet::kMaxXorbBytes || next_index_ == xet::kMaxXorbChunks) {
        ++next_xorb_;
        next_index_ = 0;
        next_raw_bytes_ = 0;
    }
    auto job = std::make_unique<Job>();
    job->hash = hash;
    job->xorb = next_xorb_;
    job->raw.assign(raw.begin(), raw.end());
    in_work_ += raw.size();
    {
        const std::lock_guard guard(mutex_);
        jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
    next_raw_bytes_ += raw.size();
    const NewPlace place{next_xorb_, next_index_++};
    LOCARA_CHECK(drain(kMaxInWork));
    return place;
}

Status Packer::finish() {
    LOCARA_CHECK(drain(0));
    return staged_ ? put_xorb() : Status();
}

Status Packer::drain(std::size_t limit_bytes) {
    std::unique_lock lock(mutex_);
    while (!jobs_.empty()) {
        if (jobs_.front()->stage == Job::Stage::Done) {
            const std::unique_ptr<Job> job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            in_work_ -= job->raw.size();
            LOCARA_CHECK(write(*job));
            lock.lock();
            continue;
        }
        if (in_work_ <= limit_bytes) {
            return {};
        }
        if (Job* job = take_job()) {
            lock.unlock();
            pack(*job, compressor_);
            lock.lock();
            job->stage = Job::Stage::Done;
        } else {
            changed_.wait(lock);
        }
    }
    return {};
}

Status Packer::write(const Job& job) {
    if (staged_ && job.xorb != xorbs_.size()) {
        LOCARA_CHECK(put_xorb());
    }
    if (!staged_) {
        LOCARA_TRY(staged_, cas_.backend.stage());
    }
    const Bytes& bytes = job.scheme == xet::Compression::None ? job.raw : job.packed;
    const xet::ChunkHeader header{job.scheme,
                                  static_cast<std::uint32_t>(bytes.size()),
                                  static_cast<std::uint32_t>(job.raw.size())};
    LOCARA_CHECK(table_.append(job.hash, header));
    const auto head = xet::render(header);
    buffer_.insert(buffer_.end(), head.begin(), head.end());
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    if (buffer_.size() >= kWindowBytes) {
        LOCARA_CHECK(staged_->append(buffer_));
        buffer_.clear();
    }
    return {};
}

Status Packer::put_xorb() {
    const xet::XorbHash hash = table_.hash();
    const Bytes footer = xet::render_footer({hash, table_});
    buffer_.insert(buffer_.end(), footer.begin(), footer.end());
    LOCARA_CHECK(staged_->append(buffer_));
    const std::uint64_t size = staged_->size();
    LOCARA_TRY(const Put put, cas_.backend.put_if_absent(key_of(hash), std::move(*staged_)));
    stored_bytes_ += put == Put::Stored ? size : 0;
    cas_.lookup.add(hash, table_);
    xorbs_.push_back(hash);
    staged_.reset();
    table_ = {};
    buffer_.clear();
    return {};
}

} // namespace locara::cas
