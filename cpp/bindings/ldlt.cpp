// LDLᵀ of symmetric matrices, their products with a few columns, and Krylov subspaces of both.
#include "bindings.hpp"
#include "classes.hpp"
#include "locked.hpp"
#include "square.hpp"
#include "threads.hpp"

#include <hessorbit/krylov.hpp>
#include <hessorbit/ldlt.hpp>
#include <hessorbit/times_columns.hpp>

#include <cmath>
#include <memory>
#include <vector>

namespace hessorbit::bindings {

namespace {

using Numbers = Array<double>;
using Columns = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Several at once are factorised by one thread each: none waits for another.
std::vector<std::unique_ptr<Ldlt>> factorise(const Numbers& matrix, const std::vector<double>& shifts, int threads) {
    require_square(matrix);
    const int team = thread_count(threads);
    for (const double shift : shifts) require(std::isfinite(shift), "shift: expected a finite number");
    const LockReleased released;
    std::vector<std::unique_ptr<Ldlt>> result(shifts.size());
    const bool several = result.size() > 1;
    share_parts(several ? team : 1, static_cast<Index>(result.size()), [&](Share& share) {
        for (const Part part : share)
            result[part.index] =
                std::make_unique<Ldlt>(matrix.data(), matrix.shape(0), shifts[part.index], several ? 1 : team);
    });
    return result;
}

std::unique_ptr<Ldlt> factorise_one(const Numbers& matrix, double shift, int threads) {
    return std::move(factorise(matrix, {shift}, threads).front());
}

// columns (P, m)
Numbers times(const Numbers& matrix, const Numbers& columns, int threads) {
    require_square(matrix);
    const Index size = matrix.shape(0);
    if (columns.ndim() != 2 || columns.shape(0) != size)
        throw py::value_error("columns: expected shape (" + std::to_string(size) + ", m)");
    const int team = thread_count(threads);
    const Index count = columns.shape(1);
    Numbers result({size, count});
    Eigen::Map<Columns> out(result.mutable_data(), size, count);
    {
        const LockReleased released;
        const Eigen::Map<const Columns> all(columns.data(), size, count);
        Columns in = Columns::Zero(size, column_block), image(size, column_block);
        for (Index first = 0; first < count; first += column_block) {
            const Index some = std::min(column_block, count - first);
            in.leftCols(some) = all.middleCols(first, some);
            times_columns(matrix.data(), size, in.data(), image.data(), team);
            out.middleCols(first, some) = image.leftCols(some);
        }
    }
    return result;
}

// b (P, m)
Numbers solve(const Ldlt& self, const Numbers& b) {
    if (b.ndim() != 2 || b.shape(0) != self.size())
        throw py::value_error("b: expected shape (" + std::to_string(self.size()) + ", m)");
    Numbers result({b.shape(0), b.shape(1)});
    double* const x = result.mutable_data();
    {
        const LockReleased released;
        std::copy_n(b.data(), b.size(), x);
        self.solve(x, b.shape(1));
    }
    return result;
}

using BoundBasis = Locked<KrylovBasis>;

// start (P, 8)
std::unique_ptr<BoundBasis> make_basis(const Numbers& start, Index most_blocks, int threads) {
    require(start.ndim() == 2 && start.shape(1) == column_block, "start: expected shape (P, 8)");
    const Index size = start.shape(0);
    require(most_blocks >= 1 && most_blocks <= size / column_block, "most_blocks: expected a number from 1 to P/8");
    const int team = thread_count(threads);
    const LockReleased released;
    return std::make_unique<BoundBasis>(start.data(), size, most_blocks, team);
}

void advance_by_matrix(BoundBasis& self, const Numbers& matrix, Index blocks) {
    require_square(matrix);
    require(matrix.shape(0) == self.core().size(), "matrix: expected as many rows as the start has");
    require(blocks >= 0, "blocks: expected a number from 0 on");
    self.locked([&](KrylovBasis& core) { core.advance(blocks, matrix.data()); });
}

void advance_by_inverse(BoundBasis& self, const Ldlt& factor, Index blocks) {
    require(factor.size() == self.core().size(), "factor: expected as many rows as the start has");
    require(blocks >= 0, "blocks: expected a number from 0 on");
    self.locked([&](KrylovBasis& core) { core.advance(blocks, factor); });
}

// columns (dimensions, m)
Numbers combine_vectors(BoundBasis& self, const Numbers& columns) {
    const Index count = columns.ndim() == 2 ? columns.shape(1) : 0;
    Numbers result({self.core().size(), count});
    const bool fits = self.locked([&](const KrylovBasis& core) {
        if (columns.ndim() != 2 || columns.shape(0) != core.dimensions()) return false;
        core.combine_vectors(columns.data(), count, result.mutable_data());
        return true;
    });
    require(fits, "columns: expected shape (dimensions, m)");
    return result;
}

// Rows and columns of the matrix that count, and R.
std::pair<Numbers, Numbers> projection(BoundBasis& self) {
    const auto [inside, beyond] = self.locked([](const KrylovBasis& core) {
        const Index m = core.dimensions();
        return std::pair<Matrix<double>, Matrix<double>>(core.projected().topLeftCorner(m, m), core.beyond());
    });
    return {Numbers({inside.rows(), inside.cols()}, inside.data()), Numbers({beyond.rows(), beyond.cols()}, beyond.data())};
}

void register_krylov(py::module_& module) {
    py::class_<BoundBasis> type(module, "KrylovBasis", py::is_final());
    type.def(py::init(&make_basis), py::arg("start").noconvert(), py::arg("most_blocks"), py::arg("threads"))
        .def("advance", &advance_by_matrix, py::arg("matrix").noconvert(), py::arg("blocks"))
        .def("advance", &advance_by_inverse, py::arg("factor"), py::arg("blocks"))
        .def("projection", &projection)
        .def("vectors", &combine_vectors, py::arg("columns").noconvert());
    never_empty(type);
}

}  // namespace

void register_ldlt(py::module_& module) {
    py::class_<Ldlt> type(module, "Ldlt", py::is_final());
    never_empty(type);
    type.def(py::init(&factorise_one), py::arg("matrix").noconvert(), py::arg("shift"), py::arg("threads"))
        .def("solve", &solve, py::arg("b").noconvert())
        .def_property_readonly("inertia", &Ldlt::inertia)
        .def_property_readonly("backward_error", [](const Ldlt& self) {
            const LockReleased released;
            return self.backward_error();
        });
    module.def("factorise", &factorise, py::arg("matrix").noconvert(), py::arg("shifts"), py::arg("threads"));
    module.def("times_columns", &times, py::arg("matrix").noconvert(), py::arg("columns").noconvert(),
               py::arg("threads"));
    register_krylov(module);
}

}  // namespace hessorbit::bindings
