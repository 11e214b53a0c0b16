// How samples are cut into chunks, and chunks into slots.
//
// A chunk is what a tape holds at once. Sums over samples are made chunk by chunk within a slot, and slot by slot at
// the end; one thread does all of a slot. Chunks and slots depend on the shapes alone, never on the number of threads,
// so neither do the bits of a sum.
#pragma once

#include "range.hpp"

namespace hessorbit {

struct Chunks {
    static constexpr Index max_slots = 16;

    Index samples, size, count, slots;

    // Chunks of at most about `capacity` samples, all of nearly the same size, each a multiple of row_multiple; if more
    // than one, then mostly an even number, for two threads.
    Chunks(Index sample_count, Index capacity) : samples(sample_count) {
        Index parts = (samples + capacity - 1) / capacity;
        if (parts > 1) parts += parts % 2;
        size = padded((samples + parts - 1) / parts);
        count = (samples + size - 1) / size;
        slots = std::min(count, max_slots);
    }

    Range of_slot(Index slot) const { return {count * slot / slots, count * (slot + 1) / slots}; }
    Index begin(Index chunk) const { return chunk * size; }
    Index length(Index chunk) const { return std::min(size, samples - begin(chunk)); }      // samples
    Index columns(Index chunk) const { return padded(length(chunk)); }                       // with padding
};

// Samples per chunk so that `rows` numbers per sample come to about `budget` numbers.
inline Index chunk_capacity(Index rows, Index budget, Index least, Index most) {
    return padded(std::clamp(budget / std::max<Index>(rows, 1), least, most));
}

}  // namespace hessorbit
