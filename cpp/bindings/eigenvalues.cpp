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
        const LockReleased released;
        require(all_finite(matrix.data(), matrix.size()), "matrix: expected finite numbers");
        // Symmetric, so the order of its entries does not matter.
        const std::vector<double> values = symmetric_eigenvalues(matrix.data(), matrix.shape(0), team);
        std::copy(values.begin(), values.end(), result.mutable_data());
    }
    return result;
}

// diagonal (n), beside (n − 1)
Array<double> tridiagonal_eigenvalues(const Array<double>& diagonal, const Array<double>& beside, int threads) {
    require(diagonal.ndim() == 1 && diagonal.size() > 0, "diagonal: expected shape (n,)");
    require(beside.ndim() == 1 && beside.size() == diagonal.size() - 1, "beside: expected shape (n - 1,)");
    const auto copy = [](const Array<double>& from) { return std::vector<double>(from.data(), from.data() + from.size()); };
    for (const Array<double>* each : {&diagonal, &beside})
        require(all_finite(each->data(), each->size()), "diagonal, beside: expected finite numbers");
    const int team = thread_count(threads);
    Array<double> result(diagonal.size());
    {
        Tridiagonal matrix(copy(diagonal), copy(beside));
        const LockReleased released;
        const std::vector<double> values = matrix.eigenvalues(team);
        std::copy(values.begin(), values.end(), result.mutable_data());
    }
    return result;
}

}  // namespace

void register_eigenvalues(py::module_& module) {
    module.attr("lanes") = lane_count;
    module.def("symmetric_eigenvalues", &eigenvalues, py::arg("matrix").noconvert(), py::arg("threads"));
    module.def("tridiagonal_eigenvalues", &tridiagonal_eigenvalues, py::arg("diagonal").noconvert(),
               py::arg("beside").noconvert(), py::arg("threads"));
}

}  // namespace hessorbit::bindings
