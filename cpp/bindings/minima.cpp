// The nearest global minimum of each of a batch of students.
#include "names.hpp"

#include <hessorbit/minima.hpp>

#include <algorithm>

namespace hessorbit::bindings {

namespace {

using namespace hessorbit::minima;

using Doubles = Array<double>;
using Integers = py::array_t<std::int64_t, py::array::c_style>;

constexpr std::array<std::pair<const char*, Copies>, 5> copies_names{{{"plain", Copies::plain},
                                                                      {"odd", Copies::odd},
                                                                      {"even", Copies::even},
                                                                      {"mirrored", Copies::mirrored},
                                                                      {"scaled", Copies::scaled}}};
constexpr std::array<std::pair<const char*, Constants>, 3> constants_names{
    {{"none", Constants::none}, {"fixed", Constants::fixed}, {"free", Constants::free}}};
constexpr std::array<std::pair<const char*, Off>, 3> off_names{
    {{"never", Off::never}, {"zero", Off::zero}, {"half_line", Off::half_line}}};

Matrix<double> matrix(const Doubles& array) {
    return Eigen::Map<const Matrix<double>>(array.data(), array.shape(0), array.shape(1));
}

// incoming (B, m, D), outgoing (B, m, K), output (B, K)
std::vector<Weights> weights(const Doubles& incoming, const Doubles& outgoing, const Doubles& output) {
    const Index m = incoming.shape(1), inputs = incoming.shape(2), outputs = outgoing.shape(2);
    std::vector<Weights> result(incoming.shape(0));
    for (Index b = 0; b < incoming.shape(0); ++b)
        result[b] = {Eigen::Map<const Matrix<double>>(incoming.data() + b * m * inputs, m, inputs),
                     Eigen::Map<const Matrix<double>>(outgoing.data() + b * m * outputs, m, outputs),
                     Eigen::Map<const minima::Vector>(output.data() + b * outputs, outputs)};
    return result;
}

// Whether a signal came, Ctrl-C say, whose handler raised.
bool interrupted() {
    const py::gil_scoped_acquire acquire;
    return PyErr_Occurred() || PyErr_CheckSignals() != 0;
}

py::dict nearest_minima(const Doubles& teacher_incoming, const Doubles& teacher_outgoing, const std::string& copies,
                        double mirror, double multiplier, bool hidden_bias, const std::string& constants, const std::string& off,
                        const std::string& name, double parameter, const Doubles& incoming, const Doubles& outgoing,
                        const Doubles& output, double tolerance, std::int64_t max_nodes, double time_limit, int threads) {
    if (teacher_incoming.ndim() != 2 || teacher_outgoing.ndim() != 2 || incoming.ndim() != 3 || outgoing.ndim() != 3 ||
        output.ndim() != 2 || incoming.shape(2) != teacher_incoming.shape(1) ||
        outgoing.shape(2) != teacher_outgoing.shape(1) || incoming.shape(1) < teacher_incoming.shape(0) ||
        outgoing.shape(1) != incoming.shape(1) || outgoing.shape(0) != incoming.shape(0) ||
        output.shape(0) != incoming.shape(0) || output.shape(1) != outgoing.shape(2) || teacher_incoming.shape(0) < 1)
        throw py::value_error("the shapes of teacher and students do not fit together");
    Geometry geometry{matrix(teacher_incoming), matrix(teacher_outgoing), named(copies_names, copies, "copies"),
                      multiplier * mirror, hidden_bias, named(constants_names, constants, "constants"),
                      named(off_names, off, "off"), std::nullopt};
    const std::vector<Weights> starts = weights(incoming, outgoing, output);
    const Activation sigma = activation_named(name, parameter);
    std::vector<Nearest> found;
    {
        const py::gil_scoped_release release;
        if (geometry.constants != Constants::none) geometry.bias.emplace(sigma, multiplier, geometry.constants == Constants::fixed);
        found = nearest(geometry, starts, {tolerance, max_nodes, time_limit, interrupted}, threads);
    }
    if (PyErr_Occurred()) throw py::error_already_set();
    const Index batch = incoming.shape(0), m = incoming.shape(1), outputs = outgoing.shape(2);
    Doubles result_incoming({batch, m, static_cast<Index>(incoming.shape(2))}), result_outgoing({batch, m, outputs}),
        result_output({batch, outputs}), factor({batch, m}), value(batch), lower(batch);
    Integers teacher({batch, m}), group({batch, m}), nodes(batch);
    for (Index b = 0; b < batch; ++b) {
        const auto& [minimum, best, bound, count] = found[b];
        std::copy_n(minimum.weights.incoming.data(), minimum.weights.incoming.size(), result_incoming.mutable_data(b, 0, 0));
        std::copy_n(minimum.weights.outgoing.data(), minimum.weights.outgoing.size(), result_outgoing.mutable_data(b, 0, 0));
        std::copy_n(minimum.weights.output.data(), outputs, result_output.mutable_data(b, 0));
        std::copy_n(minimum.factor.data(), m, factor.mutable_data(b, 0));
        std::copy_n(minimum.teacher.data(), m, teacher.mutable_data(b, 0));
        std::copy_n(minimum.group.data(), m, group.mutable_data(b, 0));
        value.mutable_at(b) = best;
        lower.mutable_at(b) = bound;
        nodes.mutable_at(b) = count;
    }
    py::dict result;
    result["incoming"] = result_incoming;
    result["outgoing"] = result_outgoing;
    result["output"] = result_output;
    result["teacher"] = teacher;
    result["group"] = group;
    result["factor"] = factor;
    result["value"] = value;
    result["lower"] = lower;
    result["nodes"] = nodes;
    return result;
}

}  // namespace

void register_minima(py::module_& m) {
    m.def("nearest_minima", &nearest_minima, py::arg("teacher_incoming").noconvert(),
          py::arg("teacher_outgoing").noconvert(), py::arg("copies"), py::arg("mirror"), py::arg("multiplier"),
          py::arg("hidden_bias"), py::arg("constants"), py::arg("off"), py::arg("activation"), py::arg("parameter"),
          py::arg("incoming").noconvert(), py::arg("outgoing").noconvert(), py::arg("output").noconvert(),
          py::arg("tolerance"), py::arg("max_nodes"), py::arg("time_limit"), py::arg("threads"));
}

}  // namespace hessorbit::bindings
