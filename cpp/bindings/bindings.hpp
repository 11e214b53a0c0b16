// What the bindings share: arrays in, arrays out. Casts here refuse what does not fit instead of converting.
//
// There are two modules. `_core_<level>` holds what is hot, in float64, and is compiled for each instruction level;
// `_common` holds everything else, in float64 and long double, and is compiled once. Eigen's types must not cross from one
// to the other, as their alignment depends on the level; a Network, which holds only standard vectors, may.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <hessorbit/network.hpp>

#include "interpreter_lock.hpp"

#include <string>
#include <vector>

namespace hessorbit::bindings {

namespace py = pybind11;

// One for each subject, in the module where it is called.
void register_network(py::module_& module);
void register_activation_table(py::module_& module);
void register_loss_table(py::module_& module);
void register_activation_float64(py::module_& module);
void register_activation_longdouble(py::module_& module);
void register_objective_float64(py::module_& module);
void register_objective_longdouble(py::module_& module);
void register_descent(py::module_& module);
void register_trust_region(py::module_& module);
void register_ldlt(py::module_& module);
void register_eigenvalues(py::module_& module);
void register_group_element(py::module_& module);
void register_even_linear(py::module_& module);
void register_minima(py::module_& module);
void register_population(py::module_& module);

template <class T>
using Array = py::array_t<T, py::array::c_style>;

using Shape = std::vector<py::ssize_t>;

inline void require(bool condition, const char* message) {
    if (!condition) throw py::value_error(message);
}

// θ of shape (P,) or (B, P); results have `shape` for each θ, with a leading B in the second case.
template <class T>
struct Batch {
    const T* data;
    Index count;
    bool alone;

    Batch(const Array<T>& theta, Index parameters) {
        if (theta.ndim() < 1 || theta.ndim() > 2 || theta.shape(theta.ndim() - 1) != parameters)
            throw py::value_error("theta: expected shape (P,) or (B, P) with P = " + std::to_string(parameters));
        data = theta.data();
        alone = theta.ndim() == 1;
        count = alone ? 1 : theta.shape(0);
    }

    Array<T> result(Shape shape) const {
        if (!alone) shape.insert(shape.begin(), count);
        return Array<T>(shape);
    }
};

}  // namespace hessorbit::bindings
