// LDLᵀ of symmetric matrices.
#include "bindings.hpp"
#include "classes.hpp"
#include "threads.hpp"

#include <hessorbit/ldlt.hpp>

#include <cmath>
#include <memory>

namespace hessorbit::bindings {

namespace {

using Numbers = Array<double>;
using Columns = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

std::unique_ptr<Ldlt> factorise(const Numbers& matrix, double shift, int threads) {
    if (matrix.ndim() != 2 || matrix.shape(0) != matrix.shape(1) || matrix.size() == 0)
        throw py::value_error("matrix: expected shape (P, P)");
    const int team = thread_count(threads);
    require(std::isfinite(shift), "shift: expected a finite number");
    const py::gil_scoped_release release;
    // Symmetric, so the order of its entries does not matter.
    const Eigen::Map<const Ldlt::Matrix> view(matrix.data(), matrix.shape(0), matrix.shape(1));
    require(view.allFinite(), "matrix: expected finite numbers");
    return std::make_unique<Ldlt>(view, shift, team);
}

// b (P, m)
Numbers solve(const Ldlt& self, const Numbers& b) {
    if (b.ndim() != 2 || b.shape(0) != self.size())
        throw py::value_error("b: expected shape (" + std::to_string(self.size()) + ", m)");
    Numbers result({b.shape(0), b.shape(1)});
    {
        const py::gil_scoped_release release;
        Ldlt::Matrix x = Eigen::Map<const Columns>(b.data(), b.shape(0), b.shape(1));
        self.solve(x);
        Eigen::Map<Columns>(result.mutable_data(), b.shape(0), b.shape(1)) = x;
    }
    return result;
}

}  // namespace

void register_ldlt(py::module_& module) {
    py::class_<Ldlt> type(module, "Ldlt", py::is_final());
    never_empty(type);
    type.def(py::init(&factorise), py::arg("matrix").noconvert(), py::arg("shift"), py::arg("threads"))
        .def("solve", &solve, py::arg("b").noconvert())
        .def_property_readonly("inertia", &Ldlt::inertia)
        .def_property_readonly("backward_error", [](const Ldlt& self) {
            const py::gil_scoped_release release;
            return self.backward_error();
        });
}

}  // namespace hessorbit::bindings
