// LDLᵀ of symmetric matrices, and their products with a few columns.
#include "bindings.hpp"
#include "classes.hpp"
#include "square.hpp"
#include "threads.hpp"

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
    const py::gil_scoped_release release;
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
        const py::gil_scoped_release release;
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
        const py::gil_scoped_release release;
        std::copy_n(b.data(), b.size(), x);
        self.solve(x, b.shape(1));
    }
    return result;
}

}  // namespace

void register_ldlt(py::module_& module) {
    py::class_<Ldlt> type(module, "Ldlt", py::is_final());
    never_empty(type);
    type.def(py::init(&factorise_one), py::arg("matrix").noconvert(), py::arg("shift"), py::arg("threads"))
        .def("solve", &solve, py::arg("b").noconvert())
        .def_property_readonly("inertia", &Ldlt::inertia)
        .def_property_readonly("backward_error", [](const Ldlt& self) {
            const py::gil_scoped_release release;
            return self.backward_error();
        });
    module.def("factorise", &factorise, py::arg("matrix").noconvert(), py::arg("shifts"), py::arg("threads"));
    module.def("times_columns", &times, py::arg("matrix").noconvert(), py::arg("columns").noconvert(),
               py::arg("threads"));
}

}  // namespace hessorbit::bindings
