// A range of indices, begin … end − 1.
#pragma once

#include "rows.hpp"

namespace hessorbit {

struct Range {
    Index begin, end;

    Index size() const { return end - begin; }
};

}  // namespace hessorbit
