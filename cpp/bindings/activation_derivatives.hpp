// σ, σ' and σ'' of a vector, for one scalar.
#pragma once

#include "names.hpp"

#include <algorithm>

namespace hessorbit::bindings {

template <class T>
py::tuple activation_derivatives(const std::string& name, double parameter, const Array<T>& z) {
    const Activation activation = activation_named(name, parameter);
    require(z.ndim() == 1, "z: expected shape (n,)");
    const Index n = z.size();
    Rows<T> rows = Rows<T>::Zero(4, padded(n));
    std::copy(z.data(), z.data() + n, rows.row(0).data());
    {
        const LockReleased released;
        evaluate<T>(activation, rows.row(0).data(), rows.cols(), rows.row(1).data(), rows.row(2).data(),
                    rows.row(3).data());
    }
    const auto result = [&](int row) { return Array<T>(n, rows.row(row).data()); };
    return py::make_tuple(result(1), result(2), result(3));
}

template <class T>
void bind_activation_derivatives(py::module_& module) {
    module.def("activation_derivatives", &activation_derivatives<T>, py::arg("name"), py::arg("parameter"),
               py::arg("z").noconvert());
}

}  // namespace hessorbit::bindings
