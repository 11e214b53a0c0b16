// All eigenvalues of symmetric matrices.
#include "bindings.hpp"
#include "square.hpp"
#include "threads.hpp"

#include <hessorbit/eigenvalues.hpp>
#include <hessorbit/kernel/finite.hpp>

#include <algorithm>

namespace hessorbit::bindings {

namespace {

// matrix (P, P)
Array<double> eigenvalues(const Array<double>& matrix, int threads) {
    require_square(matrix);
    const int team = thread_count(threads);
    Array<double> result(matrix.shape(0));
    {
        const py::gil_scoped_release release;
        require(all_finite(matrix.data(), matrix.size()), "matrix: expected finite numbers");
        // Symmetric, so the order of its entries does not matter.
        const std::vector<double> values = symmetric_eigenvalues(matrix.data(), matrix.shape(0), team);
        std::copy(values.begin(), values.end(), result.mutable_data());
    }
    return result;
}

}  // namespace

void register_eigenvalues(py::module_& module) {
    module.attr("lanes") = lane_count;
    module.def("symmetric_eigenvalues", &eigenvalues, py::arg("matrix").noconvert(), py::arg("threads"));
}

}  // namespace hessorbit::bindings
