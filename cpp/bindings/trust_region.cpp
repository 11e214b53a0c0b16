// Quadratic models of a trust region.
#include "bindings.hpp"
#include "classes.hpp"
#include "locked.hpp"

#include <hessorbit/trust_region.hpp>

namespace hessorbit::bindings {

namespace {

using Numbers = Array<double>;

Eigen::Map<const RowMatrix> matrix_of(const Numbers& array, const char* name) {
    if (array.ndim() != 2 || array.size() == 0) throw py::value_error(std::string(name) + ": expected a matrix");
    return {array.data(), array.shape(0), array.shape(1)};
}

Eigen::Map<const Vector> vector_of(const Numbers& array, Eigen::Index size, const char* name) {
    if (array.ndim() != 1 || array.shape(0) != size)
        throw py::value_error(std::string(name) + ": expected shape (" + std::to_string(size) + ",)");
    return {array.data(), size};
}

void require_finite(const Numbers& array, const char* name) {
    if (!Eigen::Map<const Vector>(array.data(), array.size()).allFinite())
        throw py::value_error(std::string(name) + ": expected finite numbers");
}

Eigen::Map<const RowMatrix> square_of(const Numbers& array) {
    const auto matrix = matrix_of(array, "matrix");
    if (matrix.rows() != matrix.cols()) throw py::value_error("matrix: expected shape (P, P)");
    return matrix;
}

Numbers array_of(const Vector& values) { return Numbers(values.size(), values.data()); }

// What a computation returns that other Python threads may run beside.
template <class Use>
auto without_lock(Use use) {
    const LockReleased released;
    return use();
}

void require_damping(double damping) {
    if (!(damping >= 0)) throw py::value_error("damping: expected a number of at least 0");
}

}  // namespace

void register_trust_region(py::module_& module) {
    using Squares = Locked<DampedLeastSquares>;
    py::class_<Squares> squares(module, "DampedLeastSquares", py::is_final());
    never_empty(squares);
    squares
        .def(py::init([](const Numbers& rows, const Numbers& residual) {
                 const auto matrix = matrix_of(rows, "rows");
                 const auto vector = vector_of(residual, matrix.rows(), "residual");
                 require_finite(rows, "rows"), require_finite(residual, "residual");
                 const LockReleased released;
                 return std::make_unique<Squares>(matrix, vector);
             }),
             py::arg("rows").noconvert(), py::arg("residual").noconvert())
        .def(
            "solve",
            [](Squares& self, double damping) {
                require_damping(damping);
                const auto [step, curvature] = self.locked([&](auto& core) { return core.solve(damping); });
                return py::make_tuple(array_of(step), curvature);
            },
            py::arg("damping"))
        .def(
            "correct",
            [](Squares& self, const Numbers& b) {
                const auto vector = vector_of(b, self.core().parameters(), "b");
                return array_of(self.locked([&](const auto& core) { return core.correct(vector); }));
            },
            py::arg("b").noconvert());

    py::class_<ShiftedSystem> system(module, "ShiftedSystem", py::is_final());
    never_empty(system);
    system
        .def(py::init([](const Numbers& matrix, const Numbers& gradient) {
                 const auto view = square_of(matrix);
                 const auto vector = vector_of(gradient, view.rows(), "gradient");
                 require_finite(matrix, "matrix"), require_finite(gradient, "gradient");
                 const LockReleased released;
                 return std::make_unique<ShiftedSystem>(view, vector);
             }),
             py::arg("matrix").noconvert(), py::arg("gradient").noconvert())
        .def(
            "solve",
            [](const ShiftedSystem& self, double damping) {
                const auto [step, curvature] = without_lock([&] { return self.solve(damping); });
                return py::make_tuple(array_of(step), curvature);
            },
            py::arg("damping"))
        .def("lowest_vector",
             [](const ShiftedSystem& self) { return array_of(without_lock([&] { return self.lowest_vector(); })); })
        .def_property_readonly("lowest", &ShiftedSystem::lowest)
        .def_property_readonly("largest", &ShiftedSystem::largest);
}

}  // namespace hessorbit::bindings
